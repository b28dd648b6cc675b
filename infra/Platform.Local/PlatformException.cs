namespace Platform.Local;

/// <summary>Something that the user can mend went wrong; the message is one line for the terminal, with what to do.</summary>
internal sealed class PlatformException : Exception
{
    public PlatformException(string message, int exitCode = Cli.ExitCodes.Failed)
        : base(message) => ExitCode = exitCode;

    public PlatformException(string message, Exception inner)
        : base(message, inner) => ExitCode = Cli.ExitCodes.Failed;

    /// <summary>Exit code of the command; one of <see cref="Cli.ExitCodes"/>.</summary>
    public int ExitCode { get; }
}
