namespace Platform.Control.Jobs;

/// <summary>How long a job waits before its next attempt: doubles with every failure, up to a limit.</summary>
internal static class RetryDelayPolicy
{
    /// <param name="failures">Attempts that have failed so far, 1 or more.</param>
    /// <param name="options">First and longest delay.</param>
    public static TimeSpan Delay(int failures, ControlOptions options)
    {
        var factor = Math.Pow(2, Math.Min(failures - 1, 30));
        return options.RetryDelay * factor < options.MaxRetryDelay ? options.RetryDelay * factor : options.MaxRetryDelay;
    }
}
