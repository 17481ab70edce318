use super::*;

fn ranking(scores: &[f32], relevant: i64) -> Ranking {
    let offsets = [0, scores.len() as i64];
    let lists = Lists::new(scores, &offsets).expect("offsets that fit");
    Ranking::new(lists, Relevant::Same(relevant), Ties::Expected).expect("finite scores")
}

/// Returns every order of the candidates that agrees with their scores, as lists that say which
/// ones are relevant.
fn orders(scores: &[f32], relevant: usize) -> Vec<Vec<bool>> {
    fn extend(scores: &[f32], relevant: usize, order: &mut Vec<usize>, out: &mut Vec<Vec<bool>>) {
        if order.len() == scores.len() {
            out.push(order.iter().map(|&i| i < relevant).collect());
            return;
        }
        let left = (0..scores.len()).filter(|i| !order.contains(i));
        let best = left.clone().map(|i| scores[i]).fold(f32::MIN, f32::max);
        for i in left.filter(|&i| scores[i] == best).collect::<Vec<_>>() {
            order.push(i);
            extend(scores, relevant, order, out);
            order.pop();
        }
    }
    let mut out = Vec::new();
    extend(scores, relevant, &mut Vec::new(), &mut out);
    out
}

fn mean_over(orders: &[Vec<bool>], metric: impl Fn(&[bool]) -> f64) -> f64 {
    orders.iter().map(|order| metric(order)).sum::<f64>() / orders.len() as f64
}

fn first(order: &[bool]) -> usize {
    order
        .iter()
        .position(|&relevant| relevant)
        .map_or(0, |i| i + 1)
}

#[test]
fn every_metric_is_the_mean_over_all_orders_of_the_ties() {
    let cases: [&[f32]; 7] = [
        &[0.5],
        &[1.0, 1.0, 1.0, 1.0, 1.0, 1.0],
        &[0.0, -0.0, 1.0, 0.0],
        &[2.0, 1.0, 1.0, 2.0, 2.0, 0.0, 1.0],
        &[1.0, 1.0, 2.0, 3.0, 1.0, 1.0],
        &[-1.0, 4.0, -1.0, 4.0, 4.0, -1.0],
        &[3.0, 2.0, 1.0, 0.0],
    ];
    let near = |a: f64, b: f64| (a - b).abs() < 1e-12;
    for scores in cases {
        for relevant in 1..=scores.len() {
            let found = ranking(scores, relevant as i64);
            let orders = orders(scores, relevant);
            assert!(near(
                found.rank()[0],
                mean_over(&orders, |o| first(o) as f64)
            ));
            let reciprocal = mean_over(&orders, |o| 1.0 / first(o) as f64);
            assert!(near(found.reciprocal_rank()[0], reciprocal));
            for k in 1..=scores.len() + 1 {
                let success = mean_over(&orders, |o| f64::from(first(o) <= k));
                assert!(near(found.success(k)[0], success));
                let hits = |o: &[bool]| o.iter().take(k).filter(|hit| **hit).count();
                let recall = mean_over(&orders, |o| hits(o) as f64 / relevant as f64);
                assert!(near(found.recall(k)[0], recall));
                let gain = |o: &[bool]| -> f64 {
                    let hits = (1..).zip(o).take(k).filter(|(_, hit)| **hit);
                    hits.map(|(place, _)| 1.0 / f64::from(place + 1).log2())
                        .sum()
                };
                let ideal = gain(&vec![true; relevant]);
                assert!(near(found.ndcg(k)[0], mean_over(&orders, gain) / ideal));
            }
            let precision = mean_over(&orders, |o| {
                let hits = (1..).zip(o).filter(|(_, hit)| **hit);
                let precisions = (1..)
                    .zip(hits)
                    .map(|(n, (place, _))| f64::from(n) / f64::from(place));
                precisions.sum::<f64>() / relevant as f64
            });
            assert!(near(found.average_precision()[0], precision));
        }
    }
}

#[test]
fn sorting_finds_the_groups_that_scanning_does() {
    let scores: Vec<f32> = (0..40).map(|i| (i * i % 11) as f32).collect();
    let many = ranking(&scores, 20);
    let mut groups: Vec<TieGroup> = (0..20)
        .map(|i| TieGroup {
            above: scores.iter().filter(|&&s| s > scores[i]).count(),
            size: scores.iter().filter(|&&s| s == scores[i]).count(),
            relevant: scores[..20].iter().filter(|&&s| s == scores[i]).count(),
            gain: scores[..20].iter().filter(|&&s| s == scores[i]).count() as f64,
        })
        .collect();
    groups.sort_by_key(|group| group.above);
    groups.dedup();
    assert_eq!(many.groups[..groups.len()], groups);
    assert!(many.groups[groups.len()..].iter().all(|g| g.relevant == 0));
}

#[test]
fn a_constant_scorer_gets_the_chance_level() {
    let summary = ranking(&[0.25; 6], 1)
        .summary(&[1, 3, 5], &[2])
        .expect("one list");
    assert_eq!(summary.means, summary.chance);
    assert_eq!(summary.ties, 1.0);
    let level: Vec<f64> = summary.chance[..3].iter().map(|(_, v)| *v).collect();
    assert!(
        level
            .iter()
            .zip([1.0, 3.0, 5.0])
            .all(|(a, b)| (a - b / 6.0).abs() < 1e-15)
    );
}

#[test]
fn invalid_lists_are_refused() {
    let lists = |scores, offsets| Lists::new(scores, offsets).map(|lists| lists.len());
    assert!(lists(&[1.0], &[0, 2]).is_err());
    assert!(lists(&[1.0], &[0, 2, 1]).is_err());
    assert!(lists(&[1.0], &[]).is_err());
    let scores = [1.0, 2.0, 3.0, f32::NAN];
    let lists = Lists::new(&scores, &[0, 2, 4]).expect("offsets that fit");
    let refused = |relevant| match Ranking::new(lists, relevant, Ties::Expected) {
        Ok(_) => String::new(),
        Err(error) => error.to_string(),
    };
    assert_eq!(
        refused(Relevant::Same(1)),
        "score 1 of list 1 is NaN; expected finite scores"
    );
    assert!(refused(Relevant::Same(0)).starts_with("list 0 has 2 candidates, 0 of them"));
    assert!(refused(Relevant::Each(&[1, 3])).starts_with("list 1 has 2 candidates, 3 of them"));
    assert!(refused(Relevant::Each(&[1])).starts_with("num_relevant has 1 entries for 2 lists"));
}

#[test]
fn order_breaks_ties_by_key_then_index() {
    let scores = [1.0, 3.0, 1.0, 0.0, -0.0, 0.0];
    let lists = Lists::new(&scores, &[0, 3, 3, 6]).expect("offsets that fit");
    assert_eq!(lists.order(None).expect("finite"), [1, 0, 2, 0, 1, 2]);
    let keys = [5, 0, 4, 9, 8, 8];
    assert_eq!(
        lists.order(Some(&keys)).expect("finite"),
        [1, 2, 0, 1, 2, 0]
    );
}

#[test]
fn tau_counts_pairs() {
    assert_eq!(kendall::kendall_tau(&[3.0, 2.0, 1.0]), 1.0);
    assert_eq!(kendall::kendall_tau(&[1.0, 2.0, 3.0]), -1.0);
    assert_eq!(kendall::kendall_tau(&[1.0, 1.0]), 0.0);
    assert_eq!(kendall::kendall_tau(&[1.0]), 0.0);
    // There are 2 concordant, 2 discordant and 2 tied pairs.
    assert_eq!(kendall::kendall_tau(&[2.0, 1.0, 1.0, 2.0]), 0.0);
}

#[test]
fn counts_give_the_same_ranking_as_scores() {
    let scores = [2.0, 1.0, 1.0, 2.0, 2.0, 0.0, 1.0];
    let counted =
        Ranking::from_counts(&[3, 0, 3], &[3, 3, 3], &[0, 3], &[7], None).expect("counts");
    let whole = ranking(&scores, 3);
    assert_eq!(counted.groups, whole.groups);
    assert_eq!(counted.lengths, whole.lengths);
}

#[test]
fn impossible_counts_are_refused() {
    let refused = |above: &[i64], equal: &[i64], starts: &[i64], length: i64| {
        assert!(Ranking::from_counts(above, equal, starts, &[length], None).is_err());
    };
    refused(&[-1], &[1], &[0, 1], 5);
    refused(&[0], &[0], &[0, 1], 5);
    refused(&[3], &[3], &[0, 1], 5);
    refused(&[0, 0], &[1, 1], &[0, 2], 5);
    refused(&[0, 1], &[2, 1], &[0, 2], 5);
    refused(&[], &[], &[0, 0], 5);
    refused(&[0], &[1], &[0, 2], 5);
    refused(&[0], &[1], &[0, 1], -5);
    refused(&[i64::MAX], &[i64::MAX], &[0, 1], 5);
}
