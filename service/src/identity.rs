//! Who a process is: the cluster's own certificate authority and one certificate for each process.
//!
//! A certificate names its owner in two DNS names: `ID.ROLE.CLUSTER.asterism` (this very process) and
//! `ROLE.CLUSTER.asterism` (any process of that role). Whoever connects says which of the two it wants, and TLS checks it.

use crate::{durable, secret};
use anyhow::{Context, bail, ensure};
use asterism_proto::{ClusterId, Role};
use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose,
};
use std::{fmt, path::Path};
use time::{Duration, OffsetDateTime};
use uuid::Uuid;
use x509_parser::prelude::{FromDer, GeneralName, X509Certificate};

const DOMAIN: &str = "asterism";
const AUTHORITY_VALID: Duration = Duration::days(20 * 365);
const IDENTITY_VALID: Duration = Duration::days(3 * 365);
/// Certificates begin to be valid this long before they are made, for machines whose clocks run behind.
const CLOCK_SKEW_MAX: Duration = Duration::days(1);

/// A process of the cluster, as its certificate says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Peer {
    /// Its cluster.
    pub cluster: ClusterId,
    /// What it is.
    pub role: Role,
    /// Which one: a storage node's `NodeId`, else an id made with the certificate.
    pub id: Uuid,
}

impl Peer {
    /// The name by which this very process is reached.
    pub fn own_name(&self) -> String {
        format!("{}.{}", self.id.simple(), role_name(self.cluster, self.role))
    }

    fn parse(name: &str) -> Option<Self> {
        let mut labels = name.split('.');
        let (id, role, cluster) = (labels.next()?, labels.next()?, labels.next()?);
        let known = labels.next() == Some(DOMAIN) && labels.next().is_none();
        let peer =
            Self { cluster: cluster.parse().ok()?, role: role.parse().ok()?, id: Uuid::parse_str(id).ok()? };
        known.then_some(peer)
    }

    /// Reads the owner from a certificate that TLS has already verified.
    ///
    /// # Errors
    /// It is no certificate of this kind of cluster.
    pub fn from_der(certificate: &[u8]) -> anyhow::Result<Self> {
        let (_, certificate) = X509Certificate::from_der(certificate).context("not a certificate")?;
        let names =
            certificate.subject_alternative_name().context("bad certificate names")?.context("no names")?;
        let dns = names.value.general_names.iter().filter_map(|name| match name {
            GeneralName::DNSName(name) => Some(*name),
            _ => None,
        });
        dns.filter_map(Self::parse).next().context("the certificate names no role and id")
    }
}

impl fmt::Display for Peer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.role, self.id)
    }
}

/// The name under which any process of `role` is reached.
pub fn role_name(cluster: ClusterId, role: Role) -> String {
    format!("{role}.{}.{DOMAIN}", cluster.simple())
}

/// The cluster's own certificate authority.
pub struct Authority {
    cluster: ClusterId,
    certificate: String,
    issuer: Issuer<'static, KeyPair>,
}

impl Authority {
    /// Makes a new authority in `dir` (`ca.pem`, `ca.key`).
    ///
    /// # Errors
    /// There is one already, or the files cannot be written.
    pub fn create(dir: &Path, cluster: ClusterId) -> anyhow::Result<Self> {
        ensure!(!dir.join("ca.key").exists(), "{} holds a certificate authority already", dir.display());
        let key = KeyPair::generate()?;
        let mut params = CertificateParams::new(vec![format!("{}.{DOMAIN}", cluster.simple())])?;
        params.distinguished_name.push(DnType::CommonName, format!("Asterism cluster {cluster}"));
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        set_validity(&mut params, AUTHORITY_VALID);
        let certificate = params.self_signed(&key)?.pem();
        durable::replace(&dir.join("ca.pem"), certificate.as_bytes(), 0o644)?;
        durable::replace(&dir.join("ca.key"), key.serialize_pem().as_bytes(), 0o600)?;
        Self::open(dir)
    }

    /// Opens the authority in `dir`.
    ///
    /// # Errors
    /// A file is missing or unusable, or others may read the key.
    pub fn open(dir: &Path) -> anyhow::Result<Self> {
        let key = KeyPair::from_pem(&secret::read_private(&dir.join("ca.key"))?)?;
        let path = dir.join("ca.pem");
        let certificate =
            std::fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
        let cluster = authority_cluster(&certificate)?;
        let issuer = Issuer::from_ca_cert_pem(&certificate, key)?;
        Ok(Self { cluster, certificate, issuer })
    }

    /// The cluster it speaks for.
    pub fn cluster(&self) -> ClusterId {
        self.cluster
    }

    /// Makes the identity of one process.
    ///
    /// # Errors
    /// The cryptographic library fails.
    pub fn issue(&self, role: Role, id: Uuid) -> anyhow::Result<Identity> {
        let peer = Peer { cluster: self.cluster, role, id };
        let key = KeyPair::generate()?;
        let mut params = CertificateParams::new(vec![peer.own_name(), role_name(self.cluster, role)])?;
        params.distinguished_name.push(DnType::CommonName, format!("{role} {id}"));
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages =
            vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth];
        params.use_authority_key_identifier_extension = true;
        set_validity(&mut params, IDENTITY_VALID);
        let certificate = params.signed_by(&key, &self.issuer)?.pem();
        Ok(Identity { peer, certificate, key: key.serialize_pem(), authority: self.certificate.clone() })
    }
}

fn set_validity(params: &mut CertificateParams, valid: Duration) {
    let now = OffsetDateTime::now_utc();
    params.not_before = now - CLOCK_SKEW_MAX;
    params.not_after = now + valid;
}

fn authority_cluster(pem: &str) -> anyhow::Result<ClusterId> {
    let (_, block) = x509_parser::pem::parse_x509_pem(pem.as_bytes()).context("not a PEM certificate")?;
    let certificate = block.parse_x509().context("not a certificate")?;
    let names = certificate.subject_alternative_name()?.context("the authority names no cluster")?;
    for name in &names.value.general_names {
        if let GeneralName::DNSName(name) = name
            && let Some((cluster, DOMAIN)) = name.split_once('.')
        {
            return Ok(cluster.parse()?);
        }
    }
    bail!("the authority names no cluster")
}

/// One process's certificate and key, and the authority that it trusts.
#[derive(Clone)]
pub struct Identity {
    peer: Peer,
    certificate: String,
    key: String,
    authority: String,
}

impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Identity").field("peer", &self.peer).finish_non_exhaustive()
    }
}

impl Identity {
    /// Reads an identity from `dir` (`cert.pem`, `key.pem`, `ca.pem`).
    ///
    /// # Errors
    /// A file is missing or unusable, others may read the key, or the certificate names nobody.
    pub fn load(dir: &Path) -> anyhow::Result<Self> {
        let read = |name: &str| {
            let path = dir.join(name);
            std::fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))
        };
        let (certificate, authority) = (read("cert.pem")?, read("ca.pem")?);
        let key = secret::read_private(&dir.join("key.pem"))?;
        let (_, block) =
            x509_parser::pem::parse_x509_pem(certificate.as_bytes()).context("cert.pem is not PEM")?;
        let peer = Peer::from_der(&block.contents)?;
        ensure!(
            peer.cluster == authority_cluster(&authority)?,
            "certificate and authority are of different clusters"
        );
        Ok(Self { peer, certificate, key, authority })
    }

    /// Writes the identity to `dir`, which is made if need be.
    ///
    /// # Errors
    /// Any failure of the file system.
    pub fn save(&self, dir: &Path) -> anyhow::Result<()> {
        std::fs::create_dir_all(dir)?;
        durable::replace(&dir.join("key.pem"), self.key.as_bytes(), 0o600)?;
        durable::replace(&dir.join("cert.pem"), self.certificate.as_bytes(), 0o644)?;
        durable::replace(&dir.join("ca.pem"), self.authority.as_bytes(), 0o644)?;
        Ok(())
    }

    /// Who this process is.
    pub fn peer(&self) -> Peer {
        self.peer
    }

    /// When the certificate ends, in seconds since 1970.
    ///
    /// # Errors
    /// It is none; what [`Identity::load`] gives always is one.
    pub fn certificate_end(&self) -> anyhow::Result<i64> {
        let (_, block) = x509_parser::pem::parse_x509_pem(self.certificate.as_bytes())?;
        Ok(block.parse_x509()?.validity().not_after.timestamp())
    }

    pub(crate) fn tls(&self) -> (tonic::transport::Identity, tonic::transport::Certificate) {
        let identity = tonic::transport::Identity::from_pem(&self.certificate, &self.key);
        (identity, tonic::transport::Certificate::from_pem(&self.authority))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_identity_survives_its_directory() {
        let dir = tempfile::tempdir().unwrap();
        let cluster = ClusterId::random();
        let authority = Authority::create(dir.path(), cluster).unwrap();
        assert_eq!(authority.cluster(), cluster);
        assert!(Authority::create(dir.path(), cluster).is_err(), "an authority is never overwritten");
        let id = Uuid::new_v4();
        authority.issue(Role::StorageNode, id).unwrap().save(&dir.path().join("n1")).unwrap();
        let identity = Identity::load(&dir.path().join("n1")).unwrap();
        assert_eq!(identity.peer(), Peer { cluster, role: Role::StorageNode, id });
        let days =
            (identity.certificate_end().unwrap() - OffsetDateTime::now_utc().unix_timestamp()) / 86_400;
        assert!((3 * 365 - 1..=3 * 365).contains(&days), "{days}");
    }

    #[test]
    fn a_key_that_others_can_read_is_refused() {
        use std::os::unix::fs::PermissionsExt;
        let dir = tempfile::tempdir().unwrap();
        let authority = Authority::create(dir.path(), ClusterId::random()).unwrap();
        let home = dir.path().join("n1");
        authority.issue(Role::Monitor, Uuid::new_v4()).unwrap().save(&home).unwrap();
        std::fs::set_permissions(home.join("key.pem"), std::fs::Permissions::from_mode(0o644)).unwrap();
        assert!(Identity::load(&home).unwrap_err().to_string().contains("open to others"));
    }

    #[test]
    fn names_that_are_not_ours_name_nobody() {
        for name in ["", "a.b.c.asterism", "localhost", "x.storage-node.y.asterism"] {
            assert_eq!(Peer::parse(name), None, "{name}");
        }
    }
}
