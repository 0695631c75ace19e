//! What settings need of each other, beside the form of each.

use super::bounds;
use super::table::{AvatarModel, RegionPolicy, Settings};
use crate::domain::fault::Faults;
use crate::domain::tool::references;

impl Settings {
    pub(super) fn check_agreements(&self, faults: &mut Faults) {
        if let Some(voice) = &self.voice_generation_options
            && voice.families().is_empty()
        {
            faults.add(
                "/voiceGenerationOptions",
                "mixes fields of several voice providers, or its speed is out of its provider's range",
            );
        }
        if let Some(notes) = &self.director_notes
            && notes.preset_style.is_some()
            && notes.custom_style_prompt.is_some()
        {
            faults.add(
                "/directorNotes",
                "takes presetStyle or customStylePrompt, not both",
            );
        }
        self.check_model(self.avatar_model, faults);
        if let Some(options) = &self.session_options
            && options.region_policy == Some(RegionPolicy::Strict)
            && options.region.is_none()
        {
            faults.add("/sessionOptions/regionPolicy", "strict needs a region");
        }
        let tools = self.tools.as_deref().unwrap_or_default();
        for (at, tool) in tools.iter().enumerate() {
            faults.extend_under(&format!("/tools/{at}"), tool.check());
        }
        faults.extend_under("", references::check_number(tools));
    }

    /// Whether these settings are right where `model` renders the avatar: acting directions and video sizes depend on it.
    pub fn suit(&self, model: AvatarModel) -> bool {
        let mut faults = Faults::new();
        self.check_model(Some(model), &mut faults);
        faults.is_empty()
    }

    /// What depends on the avatar's model; without one, what no model has.
    fn check_model(&self, model: Option<AvatarModel>, faults: &mut Faults) {
        if self.director_notes.is_some() && model.is_some_and(|model| !model.is_fourth_generation())
        {
            faults.add(
                "/directorNotes",
                "works on cara-4 only: set avatarModel to cara-4 or leave directorNotes out",
            );
        }
        let options = self.session_options.as_ref();
        let size = options.map(|options| (options.video_width, options.video_height));
        match size {
            None | Some((None, None)) => {}
            Some((Some(width), Some(height))) => {
                let is_small = (width, height) == bounds::VIDEO_SIZE_3;
                let is_large = bounds::VIDEO_SIZES_4.contains(&(width, height));
                let fits = match model {
                    Some(AvatarModel::Cara3) => is_small,
                    Some(_) => is_large,
                    None => is_small || is_large,
                };
                if !fits {
                    faults.add(
                        "/sessionOptions/videoWidth",
                        "videoWidth x videoHeight must be 720x480 on cara-3, 1152x768 or 768x1152 on cara-4",
                    );
                }
            }
            Some(_) => faults.add(
                "/sessionOptions",
                "needs videoWidth and videoHeight together",
            ),
        }
    }
}
