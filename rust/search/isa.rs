//! Detects at run time which vector instructions the machine has.

/// An instruction set that this machine has. Except for [`Isa::PORTABLE`], only [`Isa::available`]
/// makes such values.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Isa(Level);

/// The instruction sets that there is code for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Level {
    Portable,
    #[cfg(target_arch = "x86_64")]
    Avx2,
    /// Includes AVX512BW, and VNNI for products of bytes.
    #[cfg(target_arch = "x86_64")]
    Avx512,
}

impl Isa {
    pub const PORTABLE: Self = Self(Level::Portable);

    /// Returns the best instruction set of this machine.
    pub fn best() -> Self {
        Self::available().next().unwrap_or(Self::PORTABLE)
    }

    /// Yields all instruction sets of this machine, best first.
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

/// Declares a function that takes an [`Isa`] before its other arguments. Its body is compiled for
/// each instruction set, and code inlined into it becomes vector code of that width. The results
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
                // SAFETY: an `Isa` exists only if the machine has its instructions.
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
