//! Work that nobody waits for: mails and webhooks that are due, and what time alone does. Each loop ends soon after it is asked to stop.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::{sleep, timeout};
use warifu_core::time::UnixMillis;

use crate::app::webhooks::telling::Telling;
use crate::app::{App, Failure};
use crate::clock::Comparison;
use crate::mail::Mailer;
use crate::webhook::Sender;

/// The longest rest of the loops that send. What this node queued wakes them at once; this is for what a node that died has
/// queued, and for clocks that jump.
const REST_MAX: Duration = Duration::from_secs(15);
/// The rest of the webhooks' loop while deliveries are under way: what waits for a busy endpoint is due already, so the
/// next time that something else is due is not known.
const BUSY_REST: Duration = Duration::from_secs(1);
/// The rest between two runs of the housekeeping.
const HOUSE_REST: Duration = Duration::from_mins(1);
/// The rest between two looks at what only the database knows, for the measurements.
const MEASURE_REST: Duration = Duration::from_secs(10);
/// The rest between two comparisons of the clocks.
const COMPARE_REST: Duration = Duration::from_secs(10);
/// How long one may take.
const COMPARED_WITHIN: Duration = Duration::from_secs(5);
/// The rest after the database failed.
const FAILURE_REST: Duration = Duration::from_secs(5);

/// Sends what is due, again and again (J2). A mail in transit is finished before the loop ends.
pub async fn send_mails(app: Arc<App>, mailer: Mailer, mut stopped: watch::Receiver<bool>) {
    let queued = app.mail_waits();
    while !*stopped.borrow() {
        let rest = match app.deliver_due(&mailer).await {
            // There may be more than one batch.
            Ok(1..) => continue,
            Ok(0) => rest_until(&app, &app.next_mail_due_at().await),
            Err(failure) => {
                tracing::error!(%failure, "mails were not sent");
                FAILURE_REST
            }
        };
        tokio::select! {
            () = queued.notified() => {}
            () = sleep(rest) => {}
            _ = stopped.changed() => return,
        }
    }
}

/// Tells webhooks what is due, again and again (J10). Deliveries under way are finished before the loop ends.
pub async fn tell_webhooks(app: Arc<App>, sender: Arc<Sender>, mut stopped: watch::Receiver<bool>) {
    let queued = app.webhook_waits();
    let mut telling = Telling::new(Arc::clone(&app), sender);
    while !*stopped.borrow() {
        let rest = match telling.start_due().await {
            Ok(1..) => continue,
            Ok(0) if telling.is_busy() => BUSY_REST,
            Ok(0) => rest_until(&app, &app.next_webhook_due_at().await),
            Err(failure) => {
                tracing::error!(%failure, "webhooks were not told");
                FAILURE_REST
            }
        };
        tokio::select! {
            () = queued.notified() => {}
            () = sleep(rest) => {}
            () = telling.one_ended(), if telling.is_busy() => {}
            _ = stopped.changed() => break,
        }
    }
    while telling.is_busy() {
        telling.one_ended().await;
    }
}

/// The rest until `due`, by the product's clock.
fn rest_until(app: &App, due: &Result<Option<UnixMillis>, Failure>) -> Duration {
    match due {
        Ok(Some(due)) => {
            let wait_ms = u64::try_from(due.since_ms(app.now())).unwrap_or(0);
            Duration::from_millis(wait_ms).min(REST_MAX)
        }
        Ok(None) => REST_MAX,
        Err(_) => FAILURE_REST,
    }
}

/// Does what is due by the clock, again and again.
pub async fn keep_house(app: Arc<App>, mut stopped: watch::Receiver<bool>) {
    while !*stopped.borrow() {
        if let Err(failure) = app.keep_house().await {
            tracing::error!(%failure, "the housekeeping failed");
        }
        tokio::select! {
            () = sleep(HOUSE_REST) => {}
            _ = stopped.changed() => return,
        }
    }
}

/// Measures what only the database knows, again and again.
pub async fn measure(app: Arc<App>, mut stopped: watch::Receiver<bool>) {
    while !*stopped.borrow() {
        if let Err(failure) = app.measure_outboxes().await {
            tracing::debug!(%failure, "the outboxes were not measured");
        }
        tokio::select! {
            () = sleep(MEASURE_REST) => {}
            _ = stopped.changed() => return,
        }
    }
}

/// Holds the clock against that of the database's server, again and again, where there is one (R19).
pub async fn compare_clocks(app: Arc<App>, mut stopped: watch::Receiver<bool>) {
    let mut was_heard = true;
    while !*stopped.borrow() {
        let compared = timeout(COMPARED_WITHIN, app.compare_clocks()).await;
        let is_heard = match compared {
            Ok(Ok(Comparison::Alone)) => return,
            Ok(Ok(Comparison::Heard)) => true,
            Ok(Ok(Comparison::TooLate) | Err(_)) | Err(_) => false,
        };
        if was_heard && !is_heard {
            tracing::warn!("the clock could not be compared with that of PostgreSQL's server");
        }
        was_heard = is_heard;
        tokio::select! {
            () = sleep(COMPARE_REST) => {}
            _ = stopped.changed() => return,
        }
    }
}
