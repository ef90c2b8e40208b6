//! What was measured, as one JSON object and as a table.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::{Contest, Options, quiet};

/// Everything.
pub(super) fn all(
    options: &Options,
    on_postgresql: &[Value],
    contests: &[Contest],
    same: &BTreeMap<&str, Value>,
) -> Value {
    let mut peers = Vec::new();
    let on_sqlite: Vec<_> = contests
        .iter()
        .flat_map(|contest| &contest.warifu)
        .collect();
    for contest in contests {
        let ours: Vec<_> = contest.warifu.iter().map(per_s).collect();
        let trial: Vec<_> = contest
            .trial
            .iter()
            .map(|(setup, rate)| json!({ "setup": setup.name, "measured": rate }))
            .collect();
        for (at, setup) in contest.chosen.iter().enumerate() {
            let rounds: Vec<&Vec<Value>> = contest.rounds.iter().map(|round| &round[at]).collect();
            let best: Vec<_> = rounds
                .iter()
                .filter_map(|rates| best(rates))
                .cloned()
                .collect();
            let ratios: Vec<_> = ours
                .iter()
                .zip(&best)
                .map(|(ours, theirs)| ours / number(theirs, "verify_per_s"))
                .collect();
            let of_best =
                |figure: &str| median(best.iter().map(|rate| number(rate, figure)).collect());
            let of_trial = contest.trial.iter().filter(|(of, _)| of.name == setup.name);
            let best_of_all = of_trial
                .map(|(_, rate)| rate)
                .chain(&best)
                .map(per_s)
                .fold(0.0, f64::max);
            peers.push(json!({
                "peer": contest.filled.peer.name,
                "setup": setup.name,
                "verify_per_s": of_best("verify_per_s"),
                "p50_ms": of_best("p50_ms"),
                "p99_ms": of_best("p99_ms"),
                "ratios": ratios,
                "ratio": median(ratios.clone()),
                "best_per_s": best_of_all,
                "ratio_to_best": median(ours.clone()) / best_of_all,
                "best_of_rounds": best,
                "rounds": rounds,
                "trial": trial,
            }));
        }
    }
    let of_ours = |rounds: &[&Value]| {
        let middle =
            |figure: &str| median(rounds.iter().map(|rate| number(rate, figure)).collect());
        json!({
            "verify_per_s": middle("verify_per_s"),
            "p50_ms": middle("p50_ms"),
            "p99_ms": middle("p99_ms"),
            "rounds": rounds,
        })
    };
    let on_postgresql: Vec<_> = on_postgresql.iter().collect();
    json!({
        "options": options.to_json(),
        "warifu": of_ours(&on_sqlite),
        "warifu_on_postgresql": of_ours(&on_postgresql),
        "peers": peers,
        "same_code_at_once": same,
    })
}

/// The table, as Markdown.
pub(super) fn print(all: &Value) {
    println!(
        "\n| | verifications/s, median | clients | p50 ms | p99 ms | Warifu's on SQLite by it, each round | by the median | its best anywhere/s | Warifu's median by that |"
    );
    println!("|---|---|---|---|---|---|---|---|---|");
    for (name, of) in [("SQLite", "warifu"), ("PostgreSQL", "warifu_on_postgresql")] {
        let ours = &all[of];
        println!(
            "| Warifu, {name} | {:.0} | {} | {:.1} | {:.1} | | | | |",
            per_s(ours),
            clients_of(&ours["rounds"]),
            number(ours, "p50_ms"),
            number(ours, "p99_ms")
        );
    }
    for peer in all["peers"].as_array().into_iter().flatten() {
        let list = |name: &str| peer[name].as_array().cloned().unwrap_or_default();
        let ratios: Vec<_> = list("ratios")
            .iter()
            .filter_map(Value::as_f64)
            .map(|ratio| format!("{ratio:.0}"))
            .collect();
        println!(
            "| {}, {} | {:.1} | {} | {:.1} | {:.1} | {} | {:.0} | {:.1} | {:.0} |",
            text(peer, "peer"),
            text(peer, "setup"),
            number(peer, "verify_per_s"),
            clients_of(&peer["best_of_rounds"]),
            number(peer, "p50_ms"),
            number(peer, "p99_ms"),
            ratios.join(", "),
            number(peer, "ratio"),
            number(peer, "best_per_s"),
            number(peer, "ratio_to_best")
        );
    }
}

/// The numbers of clients that were the best.
fn clients_of(rounds: &Value) -> String {
    let rounds = rounds.as_array().into_iter().flatten();
    let clients: Vec<_> = rounds.map(|rate| rate["clients"].to_string()).collect();
    clients.join(", ")
}

/// One measurement.
pub(super) fn line(who: &str, setup: &str, measured: &Value) -> String {
    let mut told = match measured["waits_for_codes"].as_u64() {
        Some(waits @ 1..) => {
            format!("; waited {waits} times for a fresh code: give it more --tokens")
        }
        _ => String::new(),
    };
    if quiet::is_busy(number(measured, "busy_before")) {
        told += "; THE MACHINE WAS BUSY with something else";
    }
    format!(
        "{:>8.1}/s  p50 {:>6.1} ms  p99 {:>6.1} ms  {who}, {setup}, {} clients{told}",
        number(measured, "verify_per_s"),
        number(measured, "p50_ms"),
        number(measured, "p99_ms"),
        measured["clients"]
    )
}

/// The same code from several callers.
pub(super) fn same_line(who: &str, found: &Value) -> String {
    format!(
        "{who}: {} codes accepted once, {} more than once, {} never; {} answers without a verdict",
        found["once"], found["more_than_once"], found["never"], found["no_verdict"]
    )
}

/// The quickest of several.
fn best(rates: &[Value]) -> Option<&Value> {
    rates
        .iter()
        .max_by(|a, b| number(a, "verify_per_s").total_cmp(&number(b, "verify_per_s")))
}

/// The middle one, or the mean of the middle two.
fn median(mut figures: Vec<f64>) -> f64 {
    figures.sort_by(f64::total_cmp);
    let middle = figures.len() / 2;
    match figures.get(middle) {
        None => 0.0,
        Some(upper) if figures.len() % 2 == 1 => *upper,
        Some(upper) => f64::midpoint(figures[middle - 1], *upper),
    }
}

/// Its verifications a second.
pub(super) fn per_s(measured: &Value) -> f64 {
    number(measured, "verify_per_s")
}

/// A figure of a measurement; 0 where it has none.
pub(super) fn number(measured: &Value, figure: &str) -> f64 {
    measured[figure].as_f64().unwrap_or_default()
}

fn text<'a>(value: &'a Value, name: &str) -> &'a str {
    value[name].as_str().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_of_an_even_number_is_between_the_middle_two() {
        let told = [vec![3.0, 1.0, 2.0], vec![4.0, 1.0], vec![]].map(|of| median(of).to_string());
        assert_eq!(told, ["2", "2.5", "0"]);
    }

    #[test]
    fn the_best_number_of_clients_counts() {
        let rates = [
            json!({ "verify_per_s": 3.0 }),
            json!({ "verify_per_s": 7.0 }),
            json!({ "verify_per_s": 5.0 }),
        ];
        assert_eq!(best(&rates), Some(&rates[1]));
    }
}
