//! Handlers are functions whose parameters are parts of a request. Parts are extracted one after the other, so that the first that can't be
//! gives the answer: the caller is authenticated before anything else is looked at.

use actix_web::HttpResponse;
use futures_util::future::{FutureExt, LocalBoxFuture};

use super::describe::Described;
use super::output::Output;
use super::part::{Intake, Part};
use crate::web::Problem;

/// An async function from parts of a request to an answer.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is no handler",
    note = "a handler is an async function of at most seven parts of a request (`Part`) that gives an `Answer<T>`, where `T` is an `Output`"
)]
pub trait Handler<A>: Clone + 'static {
    fn describe(operation: &mut Described<'_>);

    /// Extracts the parts, and answers.
    fn answer(&self, intake: Intake) -> LocalBoxFuture<'static, Result<HttpResponse, Problem>>;
}

macro_rules! handlers {
    ($(($($part:ident $name:ident),*);)+) => {$(
        impl<F, R, O, $($part),*> Handler<($($part,)*)> for F
        where
            F: Fn($($part),*) -> R + Clone + 'static,
            R: Future<Output = Result<O, Problem>>,
            O: Output,
            $($part: Part,)*
        {
            fn describe(operation: &mut Described<'_>) {
                $($part::describe(operation);)*
                O::describe(operation);
            }

            fn answer(&self, intake: Intake) -> LocalBoxFuture<'static, Result<HttpResponse, Problem>> {
                let handler = self.clone();
                async move {
                    let mut taken = intake;
                    let intake = &mut taken;
                    $(let $name = $part::take(intake).await?;)*
                    let answer = handler($($name),*).await?;
                    Ok(answer.into_response(&intake.request))
                }
                .boxed_local()
            }
        }
    )+};
}

handlers! {
    ();
    (A a);
    (A a, B b);
    (A a, B b, C c);
    (A a, B b, C c, D d);
    (A a, B b, C c, D d, E e);
    (A a, B b, C c, D d, E e, G g);
    (A a, B b, C c, D d, E e, G g, H h);
}
