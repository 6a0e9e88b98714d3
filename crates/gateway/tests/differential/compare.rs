//! What two readings of a call are held against each other in, and how a difference is told.

macro_rules! dimensions {
    ($($name:ident),* $(,)?) => {
        /// One thing that a call says.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
        pub enum Dimension { $($name),* }

        impl Dimension {
            pub const ALL: &[Self] = &[$(Self::$name),*];
        }
    };
}

dimensions! {
    App, ActsAs, Secret, User, UserKey, Business, Script, Language, Param, Sensitive, Timeout,
    Account, HostIds, Hosts, Groups, Nodes, Counts, HostRuns, TaskName, Callback, CallbackQuery,
    Rolling, HasRolling, WindowsInterpreter, StartTask, PasswordHosts, Passwords, Losers, Dropped,
    Extra,
}

/// One reading: what it says in each dimension that it speaks of.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct View(Vec<(Dimension, String)>);

impl View {
    pub fn say(&mut self, dimension: Dimension, text: impl Into<String>) {
        self.0.retain(|(known, _)| *known != dimension);
        self.0.push((dimension, text.into()));
    }

    pub fn said(&self, dimension: Dimension) -> Option<&str> {
        self.0.iter().find(|(known, _)| *known == dimension).map(|(_, text)| text.as_str())
    }
}

/// Every dimension in which the readings that speak of it do not say the same.
pub fn compare(views: &[(&'static str, &View)]) -> Vec<Dimension> {
    let differ = |dimension: &Dimension| {
        let mut texts = views.iter().filter_map(|(_, view)| view.said(*dimension));
        texts.next().is_some_and(|first| texts.any(|text| text != first))
    };
    Dimension::ALL.iter().copied().filter(differ).collect()
}

/// What each reading says of each dimension, one to a line.
pub fn table(views: &[(&'static str, &View)]) -> String {
    let mut table = String::new();
    for dimension in Dimension::ALL {
        table.push_str(&format!("{dimension:?}\n"));
        for (name, view) in views {
            let said = view.said(*dimension).unwrap_or("-");
            table.push_str(&format!("  {name:<8} {said}\n"));
        }
    }
    table
}
