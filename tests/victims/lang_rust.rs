// SPDX-License-Identifier: GPL-2.0-or-later

// lang_rust.rs - a Rust program: threads, channels, shared state under a lock, collections and files
use std::collections::{BTreeMap, HashMap};
use std::fs::{self, File};
use std::io::{Read, Seek, SeekFrom, Write};
use std::sync::{mpsc, Arc, Mutex};
use std::time::{Duration, Instant};
use std::{env, path::Path, process, thread};

fn number(name: &str, otherwise: u64) -> u64 {
    env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(otherwise)
}

fn tell(word: &str, n: u64) {
    if env::var_os("VICTIM_READY").is_some() {
        println!("{} {}", word, n);
    }
}

fn sum_of_squares(n: u64) -> u64 {
    let (to, from) = mpsc::channel();
    let threads: Vec<_> = (1..=n)
        .map(|i| {
            let to = to.clone();
            thread::spawn(move || to.send(i * i).unwrap())
        })
        .collect();
    drop(to);
    let sum = from.iter().sum();
    for one in threads {
        one.join().unwrap();
    }
    sum
}

fn count_under_lock() -> u64 {
    let count = Arc::new(Mutex::new(0));
    let threads: Vec<_> = (0..3)
        .map(|_| {
            let count = Arc::clone(&count);
            thread::spawn(move || (0..100).for_each(|_| *count.lock().unwrap() += 1))
        })
        .collect();
    for one in threads {
        one.join().unwrap();
    }
    let n = *count.lock().unwrap();
    n
}

fn main() {
    let rounds = number("VICTIM_ROUNDS", 10);
    let pause = Duration::from_micros(number("VICTIM_PAUSE_US", 10000));
    let stop = env::var("VICTIM_STOP").ok();
    let path = env::temp_dir().join(format!("victim-{}", process::id()));
    let mut file = File::options().read(true).write(true).create(true).open(&path).unwrap();
    fs::remove_file(&path).unwrap();
    let (mut hashed, mut sorted) = (HashMap::new(), BTreeMap::new());
    let mut wrong = 0;
    let mut check = |held: bool, what: &str| {
        if !held {
            wrong += 1;
            eprintln!("lang_rust: not so: {}", what);
        }
    };
    tell("ready", process::id().into());
    for n in 1u64.. {
        check(sum_of_squares(5) == 55, "threads and a channel");
        check(count_under_lock() == 300, "a lock");
        hashed.insert(n, n.to_string());
        sorted.insert(n.to_string(), n);
        check(hashed.iter().all(|(k, v)| sorted[v] == *k), "collections");
        file.seek(SeekFrom::End(0)).unwrap();
        file.write_all(&n.to_le_bytes()).unwrap();
        file.seek(SeekFrom::Start((n - 1) / 2 * 8)).unwrap();
        let mut word = [0; 8];
        file.read_exact(&mut word).unwrap();
        check(u64::from_le_bytes(word) == (n - 1) / 2 + 1, "a file");
        let began = Instant::now();
        thread::sleep(pause);
        check(began.elapsed() >= pause, "a sleep");
        if n % rounds == 0 {
            tell("rounds", n);
            if stop.as_ref().map_or(true, |path| Path::new(path).exists()) {
                break;
            }
        }
    }
    process::exit(if wrong > 0 { 1 } else { 0 });
}
