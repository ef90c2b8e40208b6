//! Work that nobody waits for: mails that are due, and what time alone does. Each loop ends soon after it is asked to stop.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::sleep;

use crate::app::App;
use crate::mail::Mailer;

/// The longest rest of the mail loop. Mails that this node put into the outbox wake it at once; this is for those of a node
/// that died, and for clocks that jump.
const MAIL_REST_MAX: Duration = Duration::from_secs(15);
/// The rest between two runs of the housekeeping.
const HOUSE_REST: Duration = Duration::from_mins(1);
/// The rest between two looks at what only the database knows, for the measurements.
const MEASURE_REST: Duration = Duration::from_secs(10);
/// The rest after the database failed.
const FAILURE_REST: Duration = Duration::from_secs(5);

/// Sends what is due, again and again (J2). A mail in transit is finished before the loop ends.
pub async fn send_mails(app: Arc<App>, mailer: Mailer, mut stopped: watch::Receiver<bool>) {
    let queued = app.mail_waits();
    while !*stopped.borrow() {
        let rest = match app.deliver_due(&mailer).await {
            // There may be more than one batch.
            Ok(1..) => continue,
            Ok(0) => until_next_mail(&app).await,
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

async fn until_next_mail(app: &App) -> Duration {
    match app.next_mail_due_at().await {
        Ok(Some(due)) => {
            let wait_ms = u64::try_from(due.since_ms(app.now())).unwrap_or(0);
            Duration::from_millis(wait_ms).min(MAIL_REST_MAX)
        }
        Ok(None) => MAIL_REST_MAX,
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
        if let Err(failure) = app.measure_outbox().await {
            tracing::debug!(%failure, "the outbox was not measured");
        }
        tokio::select! {
            () = sleep(MEASURE_REST) => {}
            _ = stopped.changed() => return,
        }
    }
}
