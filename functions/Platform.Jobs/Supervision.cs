namespace Platform.Jobs;

/// <summary>How a program learns that its supervisor is gone: its standard input ends. A killed supervisor leaves no orphans that way, on any system.</summary>
public static class Supervision
{
    /// <summary>Set to <c>1</c> by a supervisor that holds the program's standard input open for as long as it lives.</summary>
    public const string Variable = "PLATFORM_SUPERVISED";

    /// <summary>Calls <paramref name="stop"/> once when the supervisor is gone. Does nothing if no supervisor started this program.</summary>
    public static void StopWithSupervisor(Action stop)
    {
        if (Environment.GetEnvironmentVariable(Variable) != "1")
        {
            return;
        }

        var watcher = new Thread(() =>
        {
            var input = Console.OpenStandardInput();
            Span<byte> ignored = stackalloc byte[256];
            while (input.Read(ignored) > 0)
            {
                // Nothing is ever said on it; only its end matters.
            }

            stop();
        })
        {
            IsBackground = true,
            Name = "supervisor-watch",
        };
        watcher.Start();
    }
}
