//! What the fault tests have in common: machines that can be killed one by one, a mixed load, the oracle that knows what
//! must still be there, and figures in one fixed form.
//!
//! The matrix of faults is `docs/faults.md`; its table is made from the lines that [`Figures`] prints.

pub mod chance;
pub mod content;
pub mod disk;
pub mod figures;
pub mod fill;
pub mod load;
pub mod network;
pub mod oracle;
pub mod proxy;
pub mod site;
pub mod trace;

pub use chance::Chance;
pub use content::Content;
pub use figures::{Figures, span, trials};
pub use fill::{fill, put, store};
pub use load::{Load, Mix};
pub use network::Network;
pub use oracle::Oracle;
pub use proxy::{Manners, Proxy};
pub use site::Site;
