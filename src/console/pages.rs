//! Addresses of the console and what they take. Any other method is refused with the ones that there are.

use std::fmt;

use actix_web::dev::Handler;
use actix_web::http::{Method, StatusCode};
use actix_web::web::{self, ServiceConfig};
use actix_web::{FromRequest, Resource, Responder, Route, guard};

use super::api::Refused;
use super::visit::Answer;

/// Addresses, in the order in which they are compared with a request's.
#[derive(Default)]
pub struct Pages(Vec<(&'static str, Vec<(Method, Route)>)>);

impl fmt::Debug for Pages {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list()
            .entries(self.0.iter().map(|(path, _)| path))
            .finish()
    }
}

impl Pages {
    /// What an address shows.
    #[must_use]
    pub fn get<F, Args>(self, path: &'static str, page: F) -> Self
    where
        F: Handler<Args>,
        Args: FromRequest + 'static,
        F::Output: Responder + 'static,
    {
        let route = web::route().guard(guard::Any(guard::Get()).or(guard::Head()));
        self.take(path, Method::GET, route.to(page))
    }

    /// What is done with a form that is sent to an address.
    #[must_use]
    pub fn post<F, Args>(self, path: &'static str, act: F) -> Self
    where
        F: Handler<Args>,
        Args: FromRequest + 'static,
        F::Output: Responder + 'static,
    {
        self.take(path, Method::POST, web::post().to(act))
    }

    fn take(mut self, path: &'static str, method: Method, route: Route) -> Self {
        match self.0.iter_mut().find(|(own, _)| *own == path) {
            Some((_, routes)) => routes.push((method, route)),
            None => self.0.push((path, vec![(method, route)])),
        }
        self
    }

    /// With those that a function adds.
    #[must_use]
    pub fn with(self, add: impl FnOnce(Self) -> Self) -> Self {
        add(self)
    }

    /// Each address with the methods that it takes.
    pub fn methods(&self) -> impl Iterator<Item = (&'static str, Vec<&str>)> {
        self.0.iter().map(|(path, routes)| {
            let each = routes.iter().flat_map(|(method, _)| {
                let head = (method == Method::GET).then_some("HEAD");
                [Some(method.as_str()), head]
            });
            (*path, each.flatten().collect())
        })
    }

    /// Registers them with actix.
    pub fn configure(self, config: &mut ServiceConfig) {
        let methods: Vec<String> = self
            .methods()
            .map(|(_, methods)| methods.join(", "))
            .collect();
        for ((path, routes), methods) in self.0.into_iter().zip(methods) {
            let routes = routes.into_iter().map(|(_, route)| route);
            let resource = routes.fold(web::resource(path), Resource::route);
            config.service(resource.default_service(web::to(move || {
                let refused =
                    Refused::own(StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed", "");
                let refused = refused.allowing(&methods);
                async move { Answer::Err(refused) }
            })));
        }
    }
}
