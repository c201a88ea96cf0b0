//! How large a message may be, by method: a part of a shard is large, a list of keys is not. The two methods that move shards are
//! answered without the generated code, which would copy every cell.

use super::ShardService;
use asterism_proto::storage::shard_store_server::{SERVICE_NAME, ShardStoreServer};
use std::{
    convert::Infallible,
    task::{Context, Poll},
};
use tonic::{
    body::Body,
    codegen::{BoxFuture, Service, http},
    server::NamedService,
};

/// Some cells of at most 256 KiB.
pub(super) const PUT_BYTES_MAX: usize = 4 << 20;
/// 1024 keys of less than 32 bytes fit twice.
pub(super) const CALL_BYTES_MAX: usize = 64 << 10;

/// The service with a limit for each method.
#[derive(Clone)]
pub struct BoundedShardStore {
    shards: ShardService,
    others: ShardStoreServer<ShardService>,
}

/// Puts limits on the messages of `service`.
pub fn bounded(service: ShardService) -> BoundedShardStore {
    let others = ShardStoreServer::new(service.clone()).max_decoding_message_size(CALL_BYTES_MAX);
    BoundedShardStore { shards: service, others }
}

impl NamedService for BoundedShardStore {
    const NAME: &'static str = SERVICE_NAME;
}

impl Service<http::Request<Body>> for BoundedShardStore {
    type Response = http::Response<Body>;
    type Error = Infallible;
    type Future = BoxFuture<Self::Response, Infallible>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: http::Request<Body>) -> Self::Future {
        let shards = self.shards.clone();
        match request.uri().path().rsplit('/').next() {
            Some("Put") => Box::pin(async move { Ok(shards.answer_put(request.into_body()).await) }),
            Some("Get") => Box::pin(async move { Ok(shards.answer_get(request.into_body()).await) }),
            _ => self.others.call(request),
        }
    }
}
