// SPDX-License-Identifier: GPL-2.0-or-later

// Chain.java - a Java program for move_programs.py: for each line of its input it prints what threads
// have computed of it, and of all lines before
import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.math.BigInteger;
import java.util.HashMap;
import java.util.Map;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;

class Chain {
	private static final int WORKERS = 4, PASSES = 300;
	private static final BigInteger PRIME = BigInteger.TWO.pow(521).subtract(BigInteger.ONE);

	private static BigInteger step(BigInteger from, String line) {
		Map<Integer, BigInteger> kept = new HashMap<>(); // for the garbage collector
		BigInteger x = from.add(BigInteger.valueOf(line.hashCode()));
		for (int i = 0; i < PASSES; i++) {
			x = x.multiply(x).add(BigInteger.valueOf(i)).mod(PRIME);
			kept.put(i, x);
		}
		return kept.values().stream().reduce(BigInteger.ZERO, BigInteger::xor);
	}

	public static void main(String[] args) throws Exception {
		ExecutorService pool = Executors.newFixedThreadPool(WORKERS);
		BigInteger[] all = new BigInteger[WORKERS];
		BufferedReader in = new BufferedReader(new InputStreamReader(System.in));
		String line;
		for (int i = 0; i < WORKERS; i++)
			all[i] = BigInteger.valueOf(i);
		for (int n = 1; (line = in.readLine()) != null; n++) {
			Future<?>[] done = new Future<?>[WORKERS];
			for (int i = 0; i < WORKERS; i++) {
				final int w = i;
				final String text = line;
				done[i] = pool.submit(() -> all[w] = step(all[w], text));
			}
			for (Future<?> one : done)
				one.get();
			System.out.println(n + " " + Integer.toHexString(all[n % WORKERS].hashCode()));
		}
		pool.shutdown();
	}
}
