//! Which instructions this machine has, found out when the program runs.

/// A set of instructions that this machine is known to have: other than [`Isa::PORTABLE`], values
/// are only made by [`Isa::available`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Isa(Level);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Level {
    Portable,
    #[cfg(target_arch = "x86_64")]
    Avx2,
    /// With byte and word instructions, and VNNI for products of bytes.
    #[cfg(target_arch = "x86_64")]
    Avx512,
}

impl Isa {
    pub const PORTABLE: Self = Self(Level::Portable);

    /// The best this machine has.
    pub fn best() -> Self {
        Self::available().next().unwrap_or(Self::PORTABLE)
    }

    /// All that this machine has, from the best down.
    #[cfg(target_arch = "x86_64")]
    pub fn available() -> impl Iterator<Item = Self> {
        let avx512 = is_x86_feature_detected!("avx512f")
            && is_x86_feature_detected!("avx512bw")
            && is_x86_feature_detected!("avx512dq")
            && is_x86_feature_detected!("avx512vl")
            && is_x86_feature_detected!("avx512vnni");
        let avx2 = is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma");
        [
            (avx512, Level::Avx512),
            (avx2, Level::Avx2),
            (true, Level::Portable),
        ]
        .into_iter()
        .filter_map(|(found, level)| found.then_some(Self(level)))
    }

    #[cfg(not(target_arch = "x86_64"))]
    pub fn available() -> impl Iterator<Item = Self> {
        std::iter::once(Self::PORTABLE)
    }

    pub fn level(self) -> Level {
        self.0
    }
}

/// Declares a function that takes an [`Isa`] before its other arguments and runs a body compiled
/// for it: what is inlined into the body becomes vector code of that machine's width. The results
/// are the same for every [`Isa`], floats included.
macro_rules! for_each_isa {
    (
        $(#[$attribute:meta])*
        $visibility:vis fn $name:ident($($argument:ident: $type:ty),* $(,)?) $(-> $output:ty)?
            = $body:path;
    ) => {
        $(#[$attribute])*
        $visibility fn $name(isa: $crate::search::isa::Isa, $($argument: $type),*) $(-> $output)? {
            #[cfg(target_arch = "x86_64")]
            #[target_feature(enable = "avx2,fma")]
            fn avx2($($argument: $type),*) $(-> $output)? {
                $body($($argument),*)
            }
            #[cfg(target_arch = "x86_64")]
            #[target_feature(enable = "avx2,fma,avx512f,avx512bw,avx512dq,avx512vl")]
            fn avx512($($argument: $type),*) $(-> $output)? {
                $body($($argument),*)
            }
            match isa.level() {
                $crate::search::isa::Level::Portable => $body($($argument),*),
                // SAFETY: the machine has the instructions, or there would be no such `Isa`.
                #[cfg(target_arch = "x86_64")]
                $crate::search::isa::Level::Avx2 => unsafe { avx2($($argument),*) },
                // SAFETY: as above.
                #[cfg(target_arch = "x86_64")]
                $crate::search::isa::Level::Avx512 => unsafe { avx512($($argument),*) },
            }
        }
    };
}

pub(super) use for_each_isa;
