using Platform.Jobs;

namespace Platform.Control.Jobs;

/// <summary>How long a job waits before its next attempt: doubles with every failure, up to a limit.</summary>
internal static class RetryDelayPolicy
{
    /// <param name="failures">Attempts that have failed so far, 1 or more.</param>
    /// <param name="policy">The job's own delays; what it leaves out is the platform's.</param>
    /// <param name="options">First and longest delay of the platform.</param>
    public static TimeSpan Delay(int failures, JobRetryPolicy? policy, ControlOptions options)
    {
        var first = policy?.DelaySeconds is { } seconds ? TimeSpan.FromSeconds(seconds) : options.RetryDelay;
        var longest = Longest(policy, options);
        var delay = first * Math.Pow(2, Math.Clamp(failures - 1, 0, 20));
        return delay < longest ? delay : longest;
    }

    /// <summary>Longest wait between two attempts.</summary>
    public static TimeSpan Longest(JobRetryPolicy? policy, ControlOptions options) => policy?.MaxDelaySeconds is { } most ? TimeSpan.FromSeconds(most) : options.MaxRetryDelay;

    /// <summary>True if the command's exit code says that another attempt would fail the same way.</summary>
    public static bool IsFinal(JobFailure failure, JobRetryPolicy? policy) =>
        failure.ExitCode is { } code && policy?.FinalExitCodes?.Contains(code) == true;
}
