namespace Platform.Local.Cli;

/// <summary>Exit codes that scripts can trust.</summary>
internal static class ExitCodes
{
    /// <summary>It did what it says.</summary>
    public const int Done = 0;

    /// <summary>It was tried and failed.</summary>
    public const int Failed = 1;

    /// <summary>The command line is wrong.</summary>
    public const int Usage = 2;

    /// <summary>No platform answers: start one with <c>platform up</c>.</summary>
    public const int NotRunning = 3;

    /// <summary>The named model, job or key does not exist.</summary>
    public const int NotFound = 4;
}
