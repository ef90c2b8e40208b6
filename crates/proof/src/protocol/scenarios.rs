//! What is tried with the model: who asks what, of how many nodes.

use super::{Asks, Nodes};
use crate::spec::Op;

/// A model under a name.
pub struct Scenario {
    /// For reports.
    pub name: &'static str,
    /// What is tried.
    pub model: Nodes,
    /// Whether it takes seconds rather than minutes.
    pub quick: bool,
}

const fn keyed(op: Op) -> Asks {
    Asks { op, keyed: true }
}

const fn plain(op: Op) -> Asks {
    Asks { op, keyed: false }
}

/// All of them.
#[must_use]
#[expect(clippy::too_many_lines, reason = "a table")]
pub fn scenarios() -> Vec<Scenario> {
    let now = Op::Right(Nodes::here());
    let before = Op::Right(Nodes::here() - 1);
    let of = |name, quick, nodes, callers, crashes, retries| {
        let mut model = Nodes::new(nodes, callers);
        model.crashes = crashes;
        model.retries = retries;
        Scenario { name, model, quick }
    };
    let mut all = vec![
        of(
            "2 nodes, a code and its retries",
            true,
            2,
            vec![plain(now), keyed(now)],
            1,
            1,
        ),
        of(
            "2 nodes, two steps of one token",
            true,
            2,
            vec![plain(now), keyed(before)],
            1,
            1,
        ),
        of(
            "2 nodes, wrong codes and their retries",
            true,
            2,
            vec![plain(Op::Wrong), keyed(Op::Wrong)],
            1,
            1,
        ),
        of(
            "2 nodes, a code against wrong ones",
            true,
            2,
            vec![plain(now), plain(Op::Wrong), keyed(Op::Wrong)],
            1,
            0,
        ),
        of(
            "2 nodes, a code three times",
            true,
            2,
            vec![plain(now), plain(now), plain(before)],
            1,
            0,
        ),
        of(
            "2 nodes, a revocation against codes",
            true,
            2,
            vec![plain(Op::Revoke), plain(now), plain(Op::Wrong)],
            1,
            0,
        ),
        of(
            "2 nodes, a release against codes",
            true,
            2,
            vec![
                plain(Op::Wrong),
                plain(Op::Wrong),
                plain(Op::Release),
                plain(now),
            ],
            0,
            0,
        ),
        of(
            "3 nodes, a code three times",
            true,
            3,
            vec![plain(now), plain(now), plain(now)],
            1,
            0,
        ),
        of(
            "3 nodes, a code against wrong ones",
            true,
            3,
            vec![plain(now), plain(Op::Wrong), plain(Op::Wrong)],
            1,
            0,
        ),
        of(
            "3 nodes, a code and its retries",
            true,
            3,
            vec![plain(now), keyed(now)],
            1,
            1,
        ),
    ];
    let retried = || vec![plain(now), plain(now), keyed(Op::Wrong)];
    let mixed = || {
        vec![
            plain(now),
            keyed(before),
            plain(Op::Wrong),
            plain(Op::Wrong),
        ]
    };
    let ended = || {
        vec![
            plain(now),
            plain(Op::Wrong),
            plain(Op::Wrong),
            plain(Op::Release),
            plain(Op::Revoke),
        ]
    };
    let mut long = [
        of(
            "2 nodes, three callers who retry",
            false,
            2,
            retried(),
            1,
            1,
        ),
        of(
            "3 nodes, three callers who retry",
            false,
            3,
            retried(),
            1,
            1,
        ),
        of(
            "3 nodes, four callers, two crashes",
            false,
            3,
            mixed(),
            2,
            0,
        ),
        of(
            "3 nodes, codes, a release and a revocation",
            false,
            3,
            ended(),
            0,
            0,
        ),
    ];
    // The other properties say what a history would; keeping one multiplies the states.
    for scenario in &mut long {
        scenario.model.history = false;
    }
    all.extend(long);
    all
}
