// SPDX-License-Identifier: GPL-2.0-or-later

// lang_java.java - a Java program: the just-in-time compiler, garbage collection, threads, monitors and files
import java.io.RandomAccessFile;
import java.math.BigInteger;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.Map;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;

class lang_java {
	private static int wrong;
	private static int counted;

	private static synchronized void count() {
		counted++;
	}

	private static void check(boolean held, String what) {
		if (!held) {
			wrong++;
			System.err.println("lang_java: not so: " + what);
		}
	}

	private static int number(String name, int otherwise) {
		String text = System.getenv(name);
		return text == null ? otherwise : Integer.parseInt(text);
	}

	private static void tell(String word, long n) {
		if (System.getenv("VICTIM_READY") != null)
			System.out.println(word + " " + n);
	}

	// hot enough to be compiled while it runs
	private static long mix(long n) {
		long x = n;
		for (int i = 0; i < 20000; i++)
			x = x * 6364136223846793005L + 1442695040888963407L;
		return x;
	}

	private static BigInteger fibonacci(int n) {
		BigInteger a = BigInteger.ZERO, b = BigInteger.ONE;
		for (int i = 0; i < n; i++) {
			BigInteger c = a.add(b);
			a = b;
			b = c;
		}
		return a;
	}

	private static void round(int n, ExecutorService pool, Map<Integer, Long> kept, RandomAccessFile file)
			throws Exception {
		kept.put(n, mix(n));
		int back = (n + 1) / 2;
		check(kept.get(back) == mix(back), "a value kept, computed again");
		check(fibonacci(90).equals(new BigInteger("2880067194370816120")), "big numbers");
		int before = counted;
		Future<?>[] all = new Future<?>[4];
		for (int i = 0; i < all.length; i++)
			all[i] = pool.submit(() -> {
				for (int j = 0; j < 50; j++)
					count();
			});
		for (Future<?> one : all)
			one.get();
		check(counted == before + 200, "a monitor");
		byte[][] garbage = new byte[20][];
		for (int i = 0; i < garbage.length; i++)
			garbage[i] = new byte[100000];
		check(garbage[19][99999] == 0, "fresh memory");
		file.seek(8L * n);
		file.writeLong(n);
		file.seek(8L * back);
		check(n < 2 || file.readLong() == back, "a file");
	}

	public static void main(String[] args) throws Exception {
		int rounds = number("VICTIM_ROUNDS", 10);
		int pauseUs = number("VICTIM_PAUSE_US", 10000);
		String stop = System.getenv("VICTIM_STOP");
		Path path = Files.createTempFile("victim", "");
		Map<Integer, Long> kept = new HashMap<>();
		ExecutorService pool = Executors.newFixedThreadPool(3);
		try (RandomAccessFile file = new RandomAccessFile(path.toFile(), "rw")) {
			Files.delete(path);
			tell("ready", ProcessHandle.current().pid());
			for (int n = 1;; n++) {
				round(n, pool, kept, file);
				long began = System.nanoTime();
				Thread.sleep(pauseUs / 1000);
				check(System.nanoTime() - began >= pauseUs / 1000 * 1000000L, "a sleep");
				if (n % rounds != 0)
					continue;
				tell("rounds", n);
				if (stop == null || Files.exists(Path.of(stop)))
					break;
			}
		}
		pool.shutdown();
		System.exit(wrong == 0 ? 0 : 1);
	}
}
