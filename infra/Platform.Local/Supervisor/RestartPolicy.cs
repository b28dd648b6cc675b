namespace Platform.Local.Supervisor;

/// <summary>Which ends of an app are followed by a new start.</summary>
internal enum RestartWhen
{
    /// <summary>Every end.</summary>
    Always,

    /// <summary>An end with an exit code other than 0, by a signal, or for failed health checks.</summary>
    OnFailure,

    /// <summary>None.</summary>
    Never,
}

/// <summary>When, how fast and how often an app is started again.</summary>
/// <remarks>Pauses double from <see cref="FirstDelay"/> to <see cref="LongestDelay"/>. A life of <see cref="Stable"/> or longer begins the count and the pauses anew.</remarks>
internal sealed record RestartPolicy
{
    /// <summary>Default: always.</summary>
    public RestartWhen When { get; init; } = RestartWhen.Always;

    /// <summary>Starts in a row without a stable life, after which the app is given up; -1: no end. Default 30, with the default pauses some two and a half minutes.</summary>
    public int MaxRestarts { get; init; } = 30;

    /// <summary>Pause before the first start. Default 100 ms.</summary>
    public TimeSpan FirstDelay { get; init; } = TimeSpan.FromMilliseconds(100);

    /// <summary>Longest pause. Default 5 s.</summary>
    public TimeSpan LongestDelay { get; init; } = TimeSpan.FromSeconds(5);

    /// <summary>A life of this length is one that worked. Default 10 s.</summary>
    public TimeSpan Stable { get; init; } = TimeSpan.FromSeconds(10);

    /// <summary>An app with health checks must be healthy this long after its start. Default 60 s.</summary>
    public TimeSpan StartPatience { get; init; } = TimeSpan.FromSeconds(60);

    /// <summary>The pause before a start; null if the app is given up.</summary>
    /// <param name="failure">True if the life before ended badly.</param>
    /// <param name="inARow">Number of this start since the last stable life, 1 for the first.</param>
    public TimeSpan? PauseBefore(bool failure, int inARow)
    {
        if (When == RestartWhen.Never || (When == RestartWhen.OnFailure && !failure) || (MaxRestarts >= 0 && inARow > MaxRestarts))
        {
            return null;
        }

        var pause = FirstDelay * Math.Pow(2, Math.Min(inARow - 1, 30));
        return pause < LongestDelay ? pause : LongestDelay;
    }
}
