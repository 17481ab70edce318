//! Benchmarks of the core's inner loops on inputs that fit the caches. Run them with `cargo bench
//! --no-default-features`.

use std::hint::black_box;
use std::sync::Arc;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use stage2_core::corpus::{Chunks, Titles};
use stage2_core::join::Index;
use stage2_core::jsonl::{OnError, Source, scan::Scanner};
use stage2_core::negatives::draw_all;
use stage2_core::ranking::{Lists, Ranking, Relevant, Ties};
use stage2_core::search::{Matrix, Measure, top_k};

const SEED: u64 = 0;

/// Yields pseudo-random numbers, the same in every run (Knuth's linear congruential generator).
fn numbers() -> impl Iterator<Item = u64> {
    std::iter::successors(Some(1u64), |x| {
        Some(
            x.wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407),
        )
    })
    .skip(1)
    .map(|x| x >> 33)
}

fn texts(count: usize) -> Vec<String> {
    let mut numbers = numbers();
    let mut text = || {
        let words: Vec<String> = (&mut numbers)
            .take(30)
            .map(|n| format!("w{}", n % 20_000))
            .collect();
        words.join(" ")
    };
    (0..count).map(|_| text()).collect()
}

fn jsonl(texts: &[String]) -> Vec<u8> {
    let row = |(i, text)| format!("{{\"chunk_id\": \"chunk_{i}\", \"text\": \"{text}\"}}\n");
    texts
        .iter()
        .enumerate()
        .map(row)
        .collect::<String>()
        .into_bytes()
}

fn floats(count: usize) -> Vec<f32> {
    let centred = |n: u64| (n as f64 / f64::from(1 << 31) - 0.5) as f32;
    numbers().take(count).map(centred).collect()
}

fn scan(c: &mut Criterion) {
    let file = jsonl(&texts(1000));
    let lines: Vec<&[u8]> = file.split(|&byte| byte == b'\n').collect();
    let mut group = c.benchmark_group("scan");
    group.throughput(Throughput::Bytes(file.len() as u64));
    group.bench_function("1,000 rows", |b| {
        b.iter(|| {
            for line in lines.iter().filter(|line| !line.is_empty()) {
                let _ = black_box(Scanner::new(line, 0).value());
            }
        });
    });
    let source = Arc::new(Source::from_bytes("chunks", file).expect("the file has rows"));
    group.bench_function("1,000 chunks into columns, ids looked up", |b| {
        b.iter(|| Chunks::read(black_box(&source), Titles::Apart, OnError::Strict));
    });
    group.finish();
}

fn join(c: &mut Criterion) {
    let texts = texts(2000);
    let (texts, annotations) = texts.split_at(1000);
    let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
    // Half of the annotations are contained in a text; the other half match none.
    let contained = texts[..500].iter().map(|text| &text[..text.len() - 6]);
    let strangers = annotations[500..].iter().map(String::as_str);
    let annotations: Vec<&str> = contained.chain(strangers).collect();
    let mut group = c.benchmark_group("join");
    group.throughput(Throughput::Elements(texts.len() as u64));
    group.bench_function("index of 1,000 annotations", |b| {
        b.iter(|| Index::build(black_box(&annotations)));
    });
    let index = Index::build(&annotations);
    group.bench_function("1,000 texts in 1,000 annotations", |b| {
        b.iter(|| index.lookup_all(black_box(&texts)));
    });
    group.finish();
}

fn sampling(c: &mut Criterion) {
    let ids: Vec<String> = (0..1000).map(|i| format!("qa-{i}")).collect();
    let ids: Vec<&str> = ids.iter().map(String::as_str).collect();
    let offsets: Vec<i64> = (0..=1000).collect();
    let excluded = &offsets[..1000];
    let mut group = c.benchmark_group("sampling");
    group.throughput(Throughput::Elements(20 * ids.len() as u64));
    for total in [1000, 1_000_000] {
        group.bench_function(format!("20 of {total} for 1,000 questions"), |b| {
            b.iter(|| draw_all(SEED, black_box(&ids), 20, total, excluded, &offsets));
        });
    }
    group.finish();
}

fn ranking(c: &mut Criterion) {
    let scores = floats(100 * 1000);
    let offsets: Vec<i64> = (0..=1000).map(|list| list * 100).collect();
    let lists = Lists::new(&scores, &offsets).expect("the offsets fit the scores");
    let mut group = c.benchmark_group("ranking");
    group.throughput(Throughput::Elements(scores.len() as u64));
    group.bench_function("1,000 × 100, 1 relevant", |b| {
        b.iter(|| Ranking::new(black_box(lists), Relevant::Same(1), Ties::Expected));
    });
    group.bench_function("1,000 × 100, 5 relevant", |b| {
        b.iter(|| Ranking::new(black_box(lists), Relevant::Same(5), Ties::Expected));
    });
    let ranking =
        Ranking::new(lists, Relevant::Same(1), Ties::Expected).expect("the scores are finite");
    group.bench_function("means over 1,000 lists", |b| {
        b.iter(|| black_box(&ranking).summary(&[1, 3, 5], &[]));
    });
    group.finish();
}

fn search(c: &mut Criterion) {
    let mut group = c.benchmark_group("search");
    for (width, k) in [(64, 10), (64, 100), (384, 10)] {
        let (queries, rows) = (96, 20_000);
        let values = floats((queries + rows) * width);
        let (left, right) = values.split_at(queries * width);
        let left = Matrix::new(left, width).expect("whole vectors");
        let right = Matrix::new(right, width).expect("whole vectors");
        group.throughput(Throughput::Elements((queries * rows) as u64));
        group.bench_function(format!("top {k} of {rows} × {width}"), |b| {
            b.iter(|| top_k(Measure::InnerProduct, black_box(left), black_box(right), k));
        });
    }
    group.finish();
}

criterion_group!(benches, scan, join, sampling, ranking, search);
criterion_main!(benches);
