using FsCheck;
using Microsoft.FSharp.Core;

namespace Platform.UnitTests;

/// <summary>How property tests draw their cases: the same in every run, so that a run that was green stays green; <c>PLATFORM_PROPERTIES=random</c> draws others, and a failure prints its seed.</summary>
internal static class Properties
{
    // The second number is FsCheck's stream, which must be odd.
    private const ulong Seed = 20_261_120;
    private const ulong Stream = 1;

    public static Config Config { get; } = Environment.GetEnvironmentVariable("PLATFORM_PROPERTIES") == "random"
        ? Config.QuickThrowOnFailure
        : Config.QuickThrowOnFailure.WithReplay(new FSharpOption<Replay>(new Replay(new Rnd(Seed, Stream), FSharpOption<int>.None)));
}
