use super::layout::Hit;
use super::*;

struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        self.0 >> 33
    }

    fn below(&mut self, bound: usize) -> usize {
        self.next() as usize % bound
    }

    /// Returns a number between −1 and 1.
    fn number(&mut self) -> f32 {
        (self.next() % 2001) as f32 / 1000.0 - 1.0
    }

    fn numbers(&mut self, count: usize) -> Vec<f32> {
        (0..count).map(|_| self.number()).collect()
    }
}

fn matrix(values: &[f32], width: usize) -> Matrix<'_> {
    Matrix::new(values, width).expect("whole rows")
}

const MEASURES: [Measure; 3] = [
    Measure::InnerProduct,
    Measure::Euclidean,
    Measure::Manhattan,
];

/// The definition of a score, computed number by number.
fn plain_score(measure: Measure, query: &[f32], row: &[f32]) -> f32 {
    let mut sums = [0.0f64; 8];
    for (i, (&q, &r)) in query.iter().zip(row).enumerate() {
        let (q, r) = (f64::from(q), f64::from(r));
        sums[i % 8] += match measure {
            Measure::InnerProduct => q * r,
            Measure::Euclidean => (q - r).powi(2),
            Measure::Manhattan => (q - r).abs(),
        };
    }
    let [a, b, c, d, e, f, g, h] = sums;
    let sum = ((a + e) + (c + g)) + ((b + f) + (d + h));
    match measure {
        Measure::InnerProduct => sum as f32,
        Measure::Euclidean => -sum.sqrt() as f32,
        Measure::Manhattan => -sum as f32,
    }
}

fn plain_top_k(measure: Measure, queries: Matrix, corpus: Matrix, k: usize) -> TopK {
    let mut found = TopK {
        rows: Vec::new(),
        scores: Vec::new(),
    };
    for query in queries.iter() {
        let mut scored: Vec<(f32, i64)> = corpus
            .iter()
            .zip(0..)
            .map(|(row, i)| (plain_score(measure, query, row), i))
            .collect();
        scored.sort_by(|a, b| b.0.partial_cmp(&a.0).expect("no NaN").then(a.1.cmp(&b.1)));
        found.rows.extend(scored[..k].iter().map(|&(_, row)| row));
        found
            .scores
            .extend(scored[..k].iter().map(|&(score, _)| score));
    }
    found
}

fn check_all_isas(queries: &[f32], corpus: &[f32], width: usize, k: usize) {
    let (queries, corpus) = (matrix(queries, width), matrix(corpus, width));
    for measure in MEASURES {
        let expected = plain_top_k(measure, queries, corpus, k);
        for isa in Isa::available() {
            let found = top_k_on(isa, measure, queries, corpus, k).expect("valid input");
            assert_eq!(
                found, expected,
                "{measure:?}, {isa:?}, width {width}, k {k}"
            );
        }
    }
}

#[test]
fn answers_are_those_of_scoring_everything() {
    let mut random = Random(1);
    for width in [1, 3, 4, 7, 8, 16, 33, 64] {
        for (queries, rows, k) in [(1, 5, 5), (9, 700, 1), (20, 1500, 10), (33, 300, 300)] {
            let queries = random.numbers(queries * width);
            let corpus = random.numbers(rows * width);
            check_all_isas(&queries, &corpus, width, k);
        }
    }
}

#[test]
fn equal_scores_come_by_rising_row() {
    let mut random = Random(2);
    let corpus: Vec<f32> = (0..2000 * 5)
        .map(|_| random.below(3) as f32 - 1.0)
        .collect();
    let queries: Vec<f32> = (0..12 * 5).map(|_| random.below(3) as f32 - 1.0).collect();
    for k in [1, 10, 150, 2000] {
        check_all_isas(&queries, &corpus, 5, k);
    }
}

#[test]
fn vectors_of_any_size_are_exact() {
    let mut random = Random(3);
    let width = 12;
    let sizes = [0.0, 1e-45, 1e-38, 1e-30, 1e-20, 1.0, 1e10, 1e19, 3.4e38];
    let mut vectors = |count: usize, same_size_in_a_row: bool| -> Vec<f32> {
        let mut size = 0.0;
        (0..count * width)
            .map(|i| {
                if i % width == 0 || !same_size_in_a_row {
                    size = sizes[random.below(sizes.len())];
                }
                random.number() * size
            })
            .collect()
    };
    for same in [true, false] {
        let (queries, corpus) = (vectors(24, same), vectors(1200, same));
        check_all_isas(&queries, &corpus, width, 20);
    }
}

#[test]
fn rising_and_falling_scores_and_near_copies() {
    let width = 16;
    let mut random = Random(4);
    let base = random.numbers(width);
    let queries: Vec<f32> = base.repeat(8);
    for slope in [1e-6f32, -1e-6, 0.0] {
        let corpus: Vec<f32> = (0..3000)
            .flat_map(|i| base.iter().map(move |x| x * (1.0 + slope * i as f32)))
            .collect();
        check_all_isas(&queries, &corpus, width, 7);
    }
}

#[test]
fn threads_and_their_number_change_nothing() {
    let mut random = Random(5);
    let (queries, corpus) = (random.numbers(100 * 24), random.numbers(9000 * 24));
    let (queries, corpus) = (matrix(&queries, 24), matrix(&corpus, 24));
    for measure in MEASURES {
        let on_threads = |threads: usize| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build();
            pool.expect("threads")
                .install(|| top_k(measure, queries, corpus, 13))
                .expect("valid input")
        };
        let expected = on_threads(1);
        assert_eq!(on_threads(2), expected);
        assert_eq!(on_threads(7), expected);
    }
}

#[test]
fn kernels_find_the_same_pairs() {
    let mut random = Random(6);
    for (width, groups) in [(1, 2), (4, 6), (31, 4), (64, 16), (200, 2)] {
        let steps = codes::steps(width);
        let mut tile = vec![GroupStep::ZERO; groups * steps];
        for row in tile.iter_mut().flat_map(|step| &mut step.0) {
            // The codes of rows take all possible values, and often the extremes.
            *row = [(); layout::STEP].map(|()| [1, 127, random.below(128) as u8][random.below(3)]);
        }
        let mut panel = vec![[[0; layout::STEP]; PANEL]; steps];
        for query in panel.iter_mut().flatten() {
            let code = |random: &mut Random| random.below(255) as i32 - 127;
            *query =
                [(); layout::STEP].map(|()| [-127, 127, code(&mut random)][random.below(3)] as i8);
        }
        for spread in [100, 10_000, 1 << 30] {
            let starts = [(); PANEL].map(|()| random.below(2 * spread) as i32 - spread as i32);
            let pairs = |isa| {
                let mut hits: Vec<Hit> = Vec::new();
                let panel = Panel {
                    codes: &panel,
                    starts,
                    first_query: 5,
                };
                kernel::scan(isa, &tile, &panel, &mut hits);
                hits.sort_by_key(|hit| (hit.query, hit.row));
                hits
            };
            let expected = pairs(Isa::PORTABLE);
            for isa in Isa::available() {
                assert_eq!(pairs(isa), expected, "{isa:?}, width {width}");
            }
        }
    }
}

#[test]
fn the_filter_rules_out_most_rows_but_no_result() {
    let mut random = Random(7);
    let width = 48;
    let rows = random.numbers(TILE_ROWS * width);
    let rows: Vec<f32> = rows.iter().map(|x| x + 5.0).collect();
    let rows = matrix(&rows, width);
    let queries = random.numbers(PANEL * width);
    let centre = Centre::of(rows);
    let steps = codes::steps(width);
    for isa in Isa::available() {
        let mut tile = vec![GroupStep::ZERO; TILE_ROWS / GROUP_ROWS * steps];
        let facts = codes::encode_tile(isa, rows, &centre, &mut tile).expect("finite");
        let mut panel = vec![[[0; layout::STEP]; PANEL]; steps];
        for (lane, query) in matrix(&queries, width).iter().enumerate() {
            let query_facts = codes::encode_query(query, &centre, &mut panel, lane);
            let mut scores: Vec<f32> = rows
                .iter()
                .map(|row| plain_score(Measure::InnerProduct, query, row))
                .collect();
            scores.sort_by(|a, b| b.total_cmp(a));
            for rank in [0, 10, 200] {
                let mut starts = [i32::MIN / 2; PANEL];
                starts[lane] = query_facts.start(&facts, scores[rank]);
                let mut hits = Vec::new();
                let panel = Panel {
                    codes: &panel,
                    starts,
                    first_query: 0,
                };
                kernel::scan(isa, &tile, &panel, &mut hits);
                let reach = |hit: &&Hit| {
                    let row = rows.row(hit.row);
                    plain_score(Measure::InnerProduct, query, row) >= scores[rank]
                };
                assert_eq!(hits.iter().filter(reach).count(), rank + 1);
                assert!(
                    hits.len() < rank + 40,
                    "{} hits for rank {rank}",
                    hits.len()
                );
            }
        }
    }
}

#[test]
fn invalid_searches_are_refused() {
    let good = [1.0; 40];
    let message = |queries: &[f32], corpus: &[f32], k| match top_k(
        Measure::InnerProduct,
        matrix(queries, 4),
        matrix(corpus, 4),
        k,
    ) {
        Ok(_) => String::new(),
        Err(error) => error.to_string(),
    };
    assert_eq!(message(&good, &good, 10), "");
    assert!(message(&good, &good, 0).starts_with("the 0 best of 10 rows asked for"));
    assert!(message(&good, &good, 11).starts_with("the 11 best of 10 rows asked for"));
    for bad in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
        let mut wrong = good;
        wrong[22] = bad;
        wrong[30] = bad;
        let expected = |name| format!("row 5 of the {name} has {bad} at position 2;");
        assert!(message(&wrong, &good, 1).starts_with(&expected("queries")));
        assert!(message(&good, &wrong, 1).starts_with(&expected("corpus")));
        assert!(message(&good[..4], &wrong, 1).starts_with(&expected("corpus")));
    }
    assert!(Matrix::new(&good, 3).is_err());
    for measure in MEASURES {
        assert!(top_k(measure, matrix(&good, 4), matrix(&good, 5), 1).is_err());
    }
}
