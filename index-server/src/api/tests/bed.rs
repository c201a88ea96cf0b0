//! Asking the router, and looking at what it answers.

use crate::{
    api::{Api, Passwords, auth, router},
    catalog::{CredentialKind, Role},
    events::Events,
    figures::Figures,
    graph::SqlGraph,
    test_bed::ClusterBed,
    workers::{Moving, Roster},
};
use asterism_service::{Metrics, http::pages};
use axum::{
    Router,
    body::{Body, Bytes},
    extract::ConnectInfo,
    http::{HeaderMap, Method, Request, StatusCode},
};
use http_body_util::BodyExt;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::Value;
use std::{net::SocketAddr, ops::Deref, sync::Arc, time::Duration};
use tower::ServiceExt;

/// Where requests come from unless they say otherwise.
const ADDRESS: ([u8; 4], u16) = ([192, 0, 2, 1], 50_000);
/// By which a browser says which page a request comes from.
pub(super) const HOST: &str = "box.example:8420";

/// The edge of a cluster. Users have the names of their roles, and tokens of the same name.
pub(super) struct TestBed {
    pub(super) router: Router,
    pub(super) api: Api,
    cluster: ClusterBed,
}

impl Deref for TestBed {
    type Target = ClusterBed;
    fn deref(&self) -> &ClusterBed {
        &self.cluster
    }
}

impl TestBed {
    pub(super) async fn start() -> Self {
        Self::with(|_| {}).await
    }

    /// With something about the server changed.
    pub(super) async fn with(change: impl FnOnce(&mut Api)) -> Self {
        let (cluster, roster) = (ClusterBed::start().await, Roster::default());
        let figures = Figures::new(
            cluster.catalog.clone(),
            cluster.members.clone(),
            cluster.extents.policy,
            roster.clone(),
        );
        let mut api = Api {
            catalog: cluster.catalog.clone(),
            extents: cluster.extents.clone(),
            members: cluster.members.clone(),
            graph: Arc::new(SqlGraph::new(cluster.catalog.database().clone())),
            graph_kind: "sql",
            events: Events::default(),
            passwords: Passwords::new().unwrap(),
            crowd: Default::default(),
            monitor: None,
            roster,
            figures,
            fsck: Default::default(),
            moving: Moving::new(1 << 30),
            deciding: Arc::default(),
            tagging: Arc::default(),
            projecting: Arc::default(),
            metrics: crate::metrics::HttpMetrics::default(),
            trash_kept: Duration::from_secs(30 * 24 * 3600),
            upload_bytes_max: 1 << 42,
            https: false,
        };
        change(&mut api);
        let own = pages(Metrics::default(), Arc::new(|| Box::pin(async { Vec::new() })));
        let bed = Self { router: router(api.clone(), own), api, cluster };
        for role in [Role::Reader, Role::Editor, Role::Operator, Role::Admin] {
            bed.add(role.as_str(), role).await;
        }
        bed
    }

    /// The cluster behind the edge.
    pub(super) fn cluster_mut(&mut self) -> &mut ClusterBed {
        &mut self.cluster
    }

    /// A user with a token of the same name.
    pub(super) async fn add(&self, name: &str, role: Role) {
        let user = self.cluster.user(name, role).await;
        let hash = auth::token_hash(name);
        self.catalog.create_credential(&user, CredentialKind::Token, "test", &hash, None).await.unwrap();
    }

    /// A request as nobody.
    pub(super) fn ask(&self, method: &str, target: &str) -> Ask<'_> {
        let method = Method::from_bytes(method.as_bytes()).unwrap();
        let request = Request::builder().method(method).uri(target).header("host", HOST);
        Ask { bed: self, request, body: Body::empty(), address: ADDRESS.into() }
    }

    /// A request of the user with this name.
    pub(super) fn asks(&self, user: &str, method: &str, target: &str) -> Ask<'_> {
        self.ask(method, target).header("authorization", format!("Bearer {user}"))
    }

    /// A GET that must go well; its JSON.
    pub(super) async fn get(&self, user: &str, target: &str) -> Value {
        self.asks(user, "GET", target).send().await.is(200).json()
    }

    /// The content of a file that must be there.
    pub(super) async fn content(&self, user: &str, path: &str) -> Vec<u8> {
        let answer =
            self.asks(user, "GET", &format!("/api/v1/content{}", encoded(path))).send().await.is(200);
        answer.bytes().to_vec()
    }

    /// Expects that every shard on the nodes belongs to a file that is there, once the deletion worker has been around.
    pub(super) async fn leaks_nothing(&self, files: &[(&str, &str)]) {
        crate::workers::tests::delete(&self.api.extents).await;
        let mut expected = 0;
        for (owner, path) in files {
            for extent in self.extents_of(owner, path).await {
                expected += self.shards.census(&extent);
            }
        }
        assert_eq!((self.shard_count(), self.catalog.removal_count().await.unwrap()), (expected, 0));
    }

    /// Stores content that must be taken; the file.
    pub(super) async fn put(&self, user: &str, path: &str, content: impl Into<Body>) -> Value {
        let answer =
            self.asks(user, "PUT", &format!("/api/v1/content{}", encoded(path))).body(content).send().await;
        assert!(answer.status.is_success(), "{path}: {answer:?}");
        answer.json()
    }
}

/// A path as it stands in an address.
pub(super) fn encoded(path: &str) -> String {
    let segments: Vec<String> =
        path.split('/').map(|segment| utf8_percent_encode(segment, NON_ALPHANUMERIC).to_string()).collect();
    segments.join("/")
}

/// A request in the making.
pub(super) struct Ask<'a> {
    bed: &'a TestBed,
    request: axum::http::request::Builder,
    body: Body,
    address: SocketAddr,
}

impl Ask<'_> {
    pub(super) fn header(mut self, name: &str, value: impl AsRef<[u8]>) -> Self {
        self.request = self.request.header(name, value.as_ref());
        self
    }

    /// As a browser sends the cookie of a session from one of our own pages.
    pub(super) fn session(self, cookie: &str) -> Self {
        self.header("cookie", cookie).header("origin", format!("http://{HOST}"))
    }

    pub(super) fn from(self, address: [u8; 4]) -> Self {
        Self { address: (address, 50_000).into(), ..self }
    }

    pub(super) fn body(self, body: impl Into<Body>) -> Self {
        Self { body: body.into(), ..self }
    }

    pub(super) fn json(self, body: &Value) -> Self {
        self.header("content-type", "application/json").body(body.to_string())
    }

    /// What came; a refusal must be one that may be shown to anybody.
    pub(super) async fn send(self) -> Answer {
        let mut request = self.request.body(self.body).unwrap();
        let asked = format!("{} {}", request.method(), request.uri());
        let is_head = request.method() == Method::HEAD;
        request.extensions_mut().insert(ConnectInfo(self.address));
        let response = self.bed.router.clone().oneshot(request).await.unwrap();
        let (parts, body) = response.into_parts();
        let collected = body.collect().await.map(|body| body.to_bytes()).map_err(|error| error.to_string());
        let answer = Answer { asked, status: parts.status, headers: parts.headers, body: collected };
        answer.check_headers();
        if !is_head && (answer.status.is_client_error() || answer.status.is_server_error()) {
            answer.check_problem(self.bed);
        }
        answer
    }
}

/// What the router answered.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) asked: String,
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    /// An error if it broke off.
    pub(super) body: Result<Bytes, String>,
}

impl Answer {
    /// Expects a status.
    #[track_caller]
    pub(super) fn is(self, status: u16) -> Self {
        assert_eq!(self.status.as_u16(), status, "{self:?}");
        self
    }

    /// Expects a refusal.
    #[track_caller]
    pub(super) fn refused(self, status: u16, code: &str) -> Self {
        assert_eq!((self.status.as_u16(), self.code().as_str()), (status, code), "{self:?}");
        self
    }

    #[track_caller]
    pub(super) fn bytes(&self) -> &Bytes {
        self.body.as_ref().unwrap_or_else(|error| panic!("{}: body broke: {error}", self.asked))
    }

    #[track_caller]
    pub(super) fn json(&self) -> Value {
        serde_json::from_slice(self.bytes()).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    pub(super) fn code(&self) -> String {
        self.json()["code"].as_str().unwrap_or_default().to_owned()
    }

    pub(super) fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }

    /// The cookie that it sets, as a browser sends it back.
    #[track_caller]
    pub(super) fn cookie(&self) -> String {
        let (cookie, _attributes) = self.header("set-cookie").split_once(';').expect("a cookie");
        cookie.to_owned()
    }

    #[track_caller]
    fn check_headers(&self) {
        assert_eq!(self.header("x-content-type-options"), "nosniff", "{self:?}");
        assert!(!self.header("content-security-policy").is_empty(), "{self:?}");
        assert!(!self.header("content-security-policy").contains("script-src 'unsafe"), "{self:?}");
        assert!(!self.headers.contains_key("access-control-allow-origin"), "{self:?}");
        assert!(!self.header("x-request-id").is_empty(), "{self:?}");
    }

    /// RFC 9457, and nothing of the inside.
    #[track_caller]
    fn check_problem(&self, bed: &TestBed) {
        assert_eq!(self.header("content-type"), "application/problem+json", "{self:?}");
        let problem = self.json();
        assert_eq!(problem["status"], self.status.as_u16(), "{self:?}");
        assert_eq!(problem["request_id"], self.header("x-request-id"), "{self:?}");
        for member in ["code", "title", "detail", "type"] {
            assert!(problem[member].as_str().is_some_and(|text| !text.is_empty()), "no {member}: {self:?}");
        }
        let shown = problem.to_string();
        let directory = bed.directory.path().display().to_string();
        for inside in ["SELECT", "INSERT", "sqlx", "sqlite", "panicked", ".rs", "argon2", &directory] {
            assert!(!shown.contains(inside), "shows {inside}: {self:?}");
        }
    }
}
