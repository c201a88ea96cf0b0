//! The index-server's word on whether the cluster stands without a node.

use super::{
    Acts, Order,
    report::{refused, with_numbers},
};
use crate::{board::NodeView, text::one_line, timeline::ProofNumbers};
use asterism_proto::{
    index::{StopCertificate, StopRefusal, acquire_stop_response::Verdict},
    monitor::ActResponse,
};

const WORDS_MAX: usize = 10;
const WORD_CHARS_MAX: usize = 100;
const REASON_CHARS_MAX: usize = 500;

/// The proof, or an admin's word in its place.
pub(super) struct Proof {
    /// Its numbers, for the answer.
    pub(super) numbers: ActResponse,
    /// The same and more, for the log.
    pub(super) counted: ProofNumbers,
    /// What is written down for people.
    pub(super) sentence: String,
    /// There is no proof, and somebody wants it all the same; the index-server holds no lease then.
    pub(super) forced: bool,
}

impl Acts {
    /// Asks for the proof; `Err` is the refusal to answer with.
    pub(super) async fn prove(&self, node: &NodeView, order: &Order) -> Result<Proof, Box<ActResponse>> {
        let answer = self.membership.acquire_stop(node.id, order.dry_run, &order.actor).await;
        let verdict = match answer {
            Ok(answer) => answer.verdict,
            Err(error) => {
                let message = format!("a stop needs the index-server's proof, and there is none: {error}");
                return Err(Box::new(refused(message)));
            }
        };
        match verdict {
            Some(Verdict::Granted(certificate)) => Ok(granted(&certificate)),
            Some(Verdict::Refused(refusal)) if order.force && !order.dry_run => Ok(forced(&refusal)),
            Some(Verdict::Refused(refusal)) => {
                let reason = one_line(&refusal.reason, REASON_CHARS_MAX);
                Err(Box::new(with_numbers(refused(reason), &numbers(&refusal))))
            }
            None => Err(Box::new(refused("the index-server gave no verdict"))),
        }
    }
}

fn granted(certificate: &StopCertificate) -> Proof {
    let StopCertificate { groups_counted, short_extents_counted, worst_margin, epoch } = *certificate;
    let numbers = ActResponse { groups_counted, worst_margin, ..ActResponse::default() };
    let counted = ProofNumbers {
        granted: true,
        groups_counted,
        short_extents_counted,
        groups_below_floor: 0,
        worst_margin,
        files_touched: 0,
        epoch,
    };
    let sentence = format!("{groups_counted} groups counted, worst margin without it {worst_margin}");
    Proof { numbers, counted, sentence, forced: false }
}

fn forced(refusal: &StopRefusal) -> Proof {
    let numbers = numbers(refusal);
    let sentence =
        format!("forced although the proof fails: {}", one_line(&refusal.reason, REASON_CHARS_MAX));
    Proof { counted: failed(&numbers), numbers, sentence, forced: true }
}

/// The numbers of a refusal; `None` if nobody counted.
pub(super) fn of_refusal(response: &ActResponse) -> Option<ProofNumbers> {
    (response.groups_below_floor > 0 || response.files_touched > 0).then(|| failed(response))
}

fn failed(numbers: &ActResponse) -> ProofNumbers {
    ProofNumbers {
        granted: false,
        groups_counted: numbers.groups_counted,
        short_extents_counted: 0,
        groups_below_floor: numbers.groups_below_floor,
        worst_margin: numbers.worst_margin,
        files_touched: numbers.files_touched,
        epoch: 0,
    }
}

fn numbers(refusal: &StopRefusal) -> ActResponse {
    let words = |words: &[String]| {
        words.iter().take(WORDS_MAX).map(|word| one_line(word, WORD_CHARS_MAX)).collect::<Vec<_>>()
    };
    ActResponse {
        groups_counted: refusal.groups_counted,
        groups_below_floor: refusal.groups_below_floor,
        worst_margin: refusal.worst_margin,
        files_touched: refusal.files_touched,
        owners: words(&refusal.owners),
        tags: words(&refusal.tags),
        ..ActResponse::default()
    }
}
