namespace Platform.Local.Sidecar.Resiliency;

/// <summary>When and how often a failed call is made again.</summary>
internal sealed record RetryPolicy
{
    /// <summary>True: the pause grows by half each time, from 500 ms, plus or minus half at random.</summary>
    public bool IsExponential { get; init; }

    /// <summary>Pause of a constant policy. Default 5 s.</summary>
    public TimeSpan Duration { get; init; } = TimeSpan.FromSeconds(5);

    /// <summary>Longest pause of an exponential one. Default 60 s.</summary>
    public TimeSpan MaxInterval { get; init; } = TimeSpan.FromSeconds(60);

    /// <summary>Calls after the first; -1: no end. Default -1.</summary>
    public int MaxRetries { get; init; } = -1;

    /// <summary>Statuses that are tried again, in ranges; empty: every failure.</summary>
    public IReadOnlyList<(int From, int To)> StatusCodes { get; init; } = [];

    /// <summary>True: a call is made again only if it reached nobody, so that it cannot have had an effect.</summary>
    public bool OnlyIfUnreached { get; init; }

    /// <summary>An exponential policy ends after this long, whatever <see cref="MaxRetries"/> says.</summary>
    public static TimeSpan ExponentialEnd { get; } = TimeSpan.FromMinutes(15);

    /// <summary>Whether an answer of this status is tried again.</summary>
    public bool Takes(int status) => !OnlyIfUnreached && (StatusCodes.Count == 0 || StatusCodes.Any(range => status >= range.From && status <= range.To));

    /// <summary>Whether a call that ended so is tried again.</summary>
    public bool Takes(Exception failure) => !OnlyIfUnreached || failure is HttpRequestException { HttpRequestError: HttpRequestError.ConnectionError };

    /// <summary>The pause before a retry; null if there is none.</summary>
    /// <param name="retry">Number of the retry, 1 for the first.</param>
    /// <param name="elapsed">Time since the first call began.</param>
    public TimeSpan? PauseBefore(int retry, TimeSpan elapsed)
    {
        if ((MaxRetries >= 0 && retry > MaxRetries) || (IsExponential && elapsed > ExponentialEnd))
        {
            return null;
        }

        if (!IsExponential)
        {
            return Duration;
        }

        var pause = Math.Min(500 * Math.Pow(1.5, retry - 1), MaxInterval.TotalMilliseconds);
        return TimeSpan.FromMilliseconds(pause * (0.5 + Random.Shared.NextDouble()));
    }
}
