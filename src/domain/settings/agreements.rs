//! What settings need of each other, beside the form of each.

use super::bounds;
use super::table::{AvatarModel, RegionPolicy, Settings};
use crate::domain::fault::Faults;
use crate::domain::tool::references;
use crate::domain::wrong::Wrong;

impl Settings {
    pub(super) fn check_agreements(&self, faults: &mut Faults) {
        if let Some(voice) = &self.voice_generation_options
            && voice.families().is_empty()
        {
            faults.add("/voiceGenerationOptions", Wrong::MixedVoices);
        }
        if let Some(notes) = &self.director_notes
            && notes.preset_style.is_some()
            && notes.custom_style_prompt.is_some()
        {
            let (name, other) = ("presetStyle", "customStylePrompt");
            faults.add("/directorNotes", Wrong::NotBoth { name, other });
        }
        self.check_model(self.avatar_model, faults);
        if let Some(options) = &self.session_options
            && options.region_policy == Some(RegionPolicy::Strict)
            && options.region.is_none()
        {
            faults.add("/sessionOptions/regionPolicy", Wrong::NoRegion);
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
            faults.add("/directorNotes", Wrong::FourthOnly);
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
                    faults.add("/sessionOptions/videoWidth", Wrong::VideoSize);
                }
            }
            Some(_) => {
                let (name, other) = ("videoWidth", "videoHeight");
                faults.add("/sessionOptions", Wrong::Together { name, other });
            }
        }
    }
}
