//! The HTTP side as the loop has it. Its thread begins with the first configuration that wants it.

use std::sync::Arc;

use tokio::sync::watch;
use tracing::warn;

use super::Backroom;
use crate::api::{router, serve};
use crate::daemon::Runtime;
use crate::model::Api;

/// See the module.
pub struct Http {
    wanted: watch::Sender<Option<Arc<Api>>>,
    /// What it is to show; taken when it begins.
    stage: Option<Backroom>,
    runtime: Option<Runtime>,
}

impl Http {
    pub fn new(stage: Backroom) -> Self {
        Self { wanted: watch::channel(None).0, stage: Some(stage), runtime: None }
    }

    /// Opens it, changes it, or closes it. Be it the same again: then its files are read again.
    pub fn want(&mut self, api: Option<Arc<Api>>) {
        if api.is_some() && self.runtime.is_none() {
            // What clients can keep busy has a thread of its own.
            match Runtime::named("ipvsd-http") {
                Ok(runtime) => {
                    self.begin(&runtime);
                    self.runtime = Some(runtime);
                }
                Err(error) => {
                    warn!("cannot start the thread for HTTP, which is tried again with the next reload: {error}")
                }
            }
        }
        self.wanted.send_replace(api);
    }

    fn begin(&mut self, runtime: &Runtime) {
        // There is one as long as there is no runtime.
        let Some(stage) = self.stage.take() else { return };
        let (listening, _) = watch::channel(None);
        runtime.spawner().spawn(serve(router(Arc::new(stage)), self.wanted.subscribe(), listening));
    }

    /// Nobody is let in any more; the thread, if there is one, is to be waited for.
    pub fn close(self) -> Option<Runtime> {
        self.runtime
    }
}
