use std::sync::atomic::AtomicBool;

use super::*;
use crate::cancel::{catch, set_stop_flag};
use crate::mix::mix;

fn grouped(texts: &[&str], threshold: f64) -> Vec<usize> {
    groups(texts, threshold, |_, _| Ok(())).expect("the threshold is a share")
}

const TEXT: &str = "the count of monte cristo sailed from marseilles to elba with a letter for the \
    marshal, and came back rich: he had found what an abbot told him of in prison";

#[test]
fn copies_with_small_edits_are_grouped_and_other_texts_are_not() {
    let parcel = TEXT.replace("letter", "parcel");
    let upper = TEXT.to_uppercase();
    let other = "an abbot told him in prison where a treasure lay, and when free he went there";
    assert_eq!(
        grouped(&[TEXT, other, &parcel, &upper, ""], 0.8),
        [0, 1, 0, 0, 4]
    );
}

#[test]
fn a_piece_of_a_text_is_grouped_with_it() {
    let piece = &TEXT[20..70];
    assert_eq!(grouped(&[TEXT, piece], 0.5), [0, 0]);
    assert_eq!(
        grouped(&[TEXT, "monte cristo"], 0.5),
        [0, 1],
        "too short to tell"
    );
}

#[test]
fn pages_of_one_template_differ_by_rare_shingles() {
    let page = |i: u64| format!("{TEXT}. the number of this page is {}", mix(i));
    let mut texts: Vec<String> = (0..300).map(page).collect();
    texts.push(texts[7].replace("number", "numeral"));
    let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
    let mut expected: Vec<usize> = (0..301).collect();
    expected[300] = 7;
    assert_eq!(grouped(&texts, 0.5), expected);
}

#[test]
fn an_error_of_the_report_ends_the_work() {
    let stopped = groups(&[TEXT, TEXT], 0.5, |_, _| Err(Error::Usage("stop".into())));
    assert!(stopped.is_err());
    for threshold in [0.0, 0.49, 1.01, f64::NAN] {
        let refused = groups(&[TEXT], threshold, |_, _| Ok(())).expect_err("out of bounds");
        assert!(refused.to_string().contains("threshold is"), "{threshold}");
    }
}

#[test]
fn each_step_can_be_stopped() {
    let shingles = Shingler::default().shingles(TEXT).to_vec();
    let counts = ShingleCounts::with_room_for(TEXT.len());
    let sketches: Vec<Sketched> = (0..2)
        .map(|_| Sketched::of(&shingles, &counts, FEW))
        .collect();
    let pair = PairComparer {
        texts: &|_| TEXT,
        sketches: &sketches,
        counts: &counts,
        limit: FEW,
        threshold: 0.5,
        slack: SLACK[0],
    };
    let order = sorted(&sketches, 0, 1);
    let steps: [&dyn Fn(); 5] = [
        &|| counts.add(&shingles),
        &|| assert!(Sketched::of(&shingles, &counts, FEW).sketch.is_some()),
        &|| drop(sorted(&sketches, 0, 1)),
        &|| assert_eq!(pair.neighbours(&order, 0).count(), 1),
        &|| assert!(pair.compare([0, 1], &mut Default::default())),
    ];
    for (number, step) in steps.into_iter().enumerate() {
        // These steps run on this thread, because the threads of a pool have stop flags of their
        // own.
        let run = || {
            step();
            Ok(())
        };
        assert!(catch(run).is_ok(), "{number}");
        set_stop_flag(Some(Box::leak(Box::new(AtomicBool::new(true)))));
        let stopped = catch(run);
        set_stop_flag(None);
        assert!(matches!(stopped, Err(Error::Stopped)), "{number}");
    }
}

#[test]
fn blocks_are_the_whole_range() {
    let mut seen = Vec::new();
    let done = in_blocks(BLOCK + 1, |block| {
        seen.push(block);
        Ok(())
    });
    done.expect("nothing fails");
    assert_eq!(seen, [0..BLOCK, BLOCK..BLOCK + 1]);
}
