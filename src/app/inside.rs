//! The API for the console of the same worker: the service that listens outside, without what only a network needs.

use std::cell::OnceCell;
use std::rc::Rc;

use actix_http::{Request, h1};
use actix_service::{IntoServiceFactory, Service, ServiceFactory};
use actix_web::body::{BoxBody, MessageBody, to_bytes};
use actix_web::dev::{AppConfig, ServiceResponse};
use actix_web::http::StatusCode;
use actix_web::http::header::HeaderMap;
use actix_web::{Error, HttpMessage};
use bytes::Bytes;
use futures_util::future::{FutureExt, LocalBoxFuture};

use crate::console::inside::{Answered, Ask, Inside};

/// The API that `app` builds. It is built when a page asks first.
pub(super) fn inside<A, F, B>(app: impl Fn() -> A + 'static) -> Inside
where
    A: IntoServiceFactory<F, Request> + 'static,
    F: ServiceFactory<
            Request,
            Config = AppConfig,
            Response = ServiceResponse<B>,
            Error = Error,
            InitError = (),
        > + 'static,
    B: MessageBody + 'static,
{
    let built: Rc<OnceCell<Rc<F::Service>>> = Rc::default();
    let app = Rc::new(app);
    Inside::new(move |ask| {
        let (built, app) = (built.clone(), app.clone());
        async move {
            let api = if let Some(api) = built.get() {
                api.clone()
            } else {
                let made = app().into_factory().new_service(AppConfig::default()).await;
                let Ok(made) = made else {
                    tracing::error!("the console has no API");
                    return failed();
                };
                built.get_or_init(|| Rc::new(made)).clone()
            };
            answer(&*api, ask).await
        }
        .boxed_local()
    })
}

fn answer<S, B>(api: &S, ask: Ask) -> LocalBoxFuture<'_, Answered>
where
    S: Service<Request, Response = ServiceResponse<B>, Error = Error>,
    B: MessageBody + 'static,
{
    let (_, mut payload) = h1::Payload::create(true);
    payload.unread_data(ask.body);
    let mut request = Request::with_payload(payload.into());
    let head = request.head_mut();
    head.method = ask.method;
    head.uri = ask.uri;
    head.headers = ask.headers;
    head.peer_addr = ask.peer;
    if let Some(id) = ask.request {
        request.extensions_mut().insert(id);
    }
    async move {
        let response: actix_web::HttpResponse<BoxBody> = match api.call(request).await {
            Ok(answer) => answer.into_parts().1.map_into_boxed_body(),
            Err(error) => error.error_response(),
        };
        let (status, headers) = (response.status(), response.headers().clone());
        match to_bytes(response.into_body()).await {
            Ok(body) => Answered {
                status,
                headers,
                body,
            },
            Err(error) => {
                tracing::error!(%error, "an answer for the console broke off");
                failed()
            }
        }
    }
    .boxed_local()
}

fn failed() -> Answered {
    Answered {
        status: StatusCode::INTERNAL_SERVER_ERROR,
        headers: HeaderMap::new(),
        body: Bytes::new(),
    }
}
