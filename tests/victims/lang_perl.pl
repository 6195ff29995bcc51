#!/usr/bin/perl
# SPDX-License-Identifier: GPL-2.0-or-later
# lang_perl.pl - a Perl program: hashes, regular expressions, a sort, a file, an alarm and a child by a pipe
use strict;
use warnings;
use File::Temp ();
use Time::HiRes ();

my $rounds = $ENV{VICTIM_ROUNDS} // 10;
my $wrong = 0;
$| = 1;

sub check {
	my ($held, $what) = @_;
	return if $held;
	$wrong++;
	print STDERR "lang_perl: not so: $what\n";
}

my $rang = 0;
local $SIG{ALRM} = sub { $rang++ };
my $file = File::Temp->new();
my %seen;
print "ready $$\n" if $ENV{VICTIM_READY};
for (my $n = 1;; $n++) {
	$seen{"key $n"} = $n;
	my $sum = 0;
	$sum += $_ for values %seen;
	check($sum == $n * ($n + 1) / 2, 'the sum of a hash');
	my @sorted = sort { $a <=> $b } map { (s/key //r) } keys %seen;
	check("@sorted" eq join(' ', 1 .. $n), 'a sort');
	print {$file} "line $n\n";
	$file->flush();
	open(my $in, '<', $file->filename) or die;
	my @lines = <$in>;
	check(@lines == $n && $lines[-1] eq "line $n\n", 'a file');
	close($in);
	if ($n % 5 == 0) {
		open(my $child, '-|', 'echo', "child $n") or die;
		my $line = <$child>;
		check(close($child) && $line eq "child $n\n", 'a child');
		my $before = $rang;
		Time::HiRes::ualarm(2000);
		Time::HiRes::usleep(500) while $rang == $before;
	}
	Time::HiRes::usleep($ENV{VICTIM_PAUSE_US} // 10000);
	next if $n % $rounds;
	print "rounds $n\n" if $ENV{VICTIM_READY};
	last if !$ENV{VICTIM_STOP} || -e $ENV{VICTIM_STOP};
}
exit($wrong ? 1 : 0);
