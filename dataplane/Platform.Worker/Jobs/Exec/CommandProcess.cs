using System.ComponentModel;
using System.Diagnostics;
using System.Runtime.InteropServices;
using Platform.Jobs;

namespace Platform.Worker.Jobs.Exec;

/// <summary>A command in a session and process group of its own, none of whose processes outlives it or this worker.</summary>
/// <remarks>
/// A small shell prelude starts a watcher inside of the group that reads this worker's pipe, then becomes the command. When the pipe ends, because the command is over or this
/// process was killed, the watcher sends SIGKILL to the group. That needs no cooperation of the command and leaves no orphans.
/// </remarks>
internal sealed partial class CommandProcess : IDisposable
{
    private const int Terminate = 15;
    private const int Kill = 9;

    // The watcher ignores SIGTERM, which is sent to the whole group, and holds none of the command's streams.
    private const string Prelude = """
        if [ -n "$PLATFORM_CGROUP" ]; then echo $$ > "$PLATFORM_CGROUP/cgroup.procs"; fi
        unset PLATFORM_CGROUP
        exec 3<&0 0</dev/null
        ( trap '' TERM INT HUP; exec >/dev/null 2>&1; while read -r line <&3; do :; done; kill -KILL 0 ) &
        exec 3<&-
        exec "$@"
        """;

    private readonly Process _process;
    private readonly Task _output;
    private int _isInputClosed;

    private CommandProcess(Process process, Action<string> line)
    {
        _process = process;
        _output = Task.WhenAll(LineReader.ReadAsync(process.StandardOutput, line), LineReader.ReadAsync(process.StandardError, line));
    }

    /// <summary>True where processes can be given sessions of their own.</summary>
    public static bool IsSupported { get; } = OperatingSystem.IsLinux() && Find("setsid", null) is not null && File.Exists("/bin/sh");

    /// <summary>Starts a command.</summary>
    /// <param name="command">Program and arguments.</param>
    /// <param name="folder">Working directory.</param>
    /// <param name="environment">All of its environment.</param>
    /// <param name="group">Control group with its limits; null for none.</param>
    /// <param name="line">Takes each line of output and errors, from two threads.</param>
    /// <exception cref="JobFailedException">There is no such program, or it may not be run.</exception>
    public static CommandProcess Start(IReadOnlyList<string> command, string folder, IReadOnlyDictionary<string, string> environment, ControlGroup? group, Action<string> line)
    {
        var program = Find(command[0], folder)
            ?? throw new JobFailedException(new JobFailure(ErrorCodes.CommandNotFound, $"There is no program '{command[0]}' that may be run; expected a path, or a name on the node's PATH.", false));
        var start = new ProcessStartInfo("setsid")
        {
            WorkingDirectory = folder,
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
            UseShellExecute = false,
        };
        foreach (var argument in (string[])["/bin/sh", "-c", Prelude, "sh", program, .. command.Skip(1)])
        {
            start.ArgumentList.Add(argument);
        }

        start.Environment.Clear();
        foreach (var (name, value) in environment)
        {
            start.Environment[name] = value;
        }

        start.Environment["PLATFORM_CGROUP"] = group?.Path ?? "";
        try
        {
            return new CommandProcess(Process.Start(start)!, line);
        }
        catch (Win32Exception fault)
        {
            throw new JobFailedException(new JobFailure(ErrorCodes.Internal, $"The command could not be started: {fault.Message}", true));
        }
    }

    /// <summary>Waits for the end of the command, then for that of all it left behind.</summary>
    /// <returns>The exit code; killed by a signal: 128 and its number.</returns>
    public async Task<int> WaitAsync(CancellationToken cancellationToken)
    {
        await _process.WaitForExitAsync(cancellationToken);
        CloseInput();
        await _output;
        return _process.ExitCode;
    }

    /// <summary>SIGTERM to all of its processes; SIGKILL to those that are left after the grace.</summary>
    public async Task StopAsync(TimeSpan grace, TimeProvider time)
    {
        using var timeout = new CancellationTokenSource(grace, time);
        Signal(Terminate);
        try
        {
            await _process.WaitForExitAsync(timeout.Token);
        }
        catch (OperationCanceledException)
        {
            Signal(Kill);
            await _process.WaitForExitAsync(CancellationToken.None);
        }

        CloseInput();
        await _output;
    }

    /// <summary>Ends what still runs.</summary>
    public void Dispose()
    {
        Signal(Kill);
        _process.Dispose();
    }

    /// <summary>The file that a shell would run; null if there is none that this process may execute.</summary>
    private static string? Find(string program, string? folder)
    {
        var candidates = program.Contains('/')
            ? [Path.GetFullPath(program, folder ?? Environment.CurrentDirectory)]
            : (Environment.GetEnvironmentVariable("PATH") ?? "/usr/bin:/bin").Split(':', StringSplitOptions.RemoveEmptyEntries).Select(path => Path.Combine(path, program));
        return candidates.FirstOrDefault(path => File.Exists(path) && (!OperatingSystem.IsLinux() || (File.GetUnixFileMode(path) & (UnixFileMode.UserExecute | UnixFileMode.GroupExecute | UnixFileMode.OtherExecute)) != UnixFileMode.None));
    }

    /// <summary>Lets the watcher end what is left. Both the wait for the end and a stop come here, possibly at once.</summary>
    private void CloseInput()
    {
        if (Interlocked.Exchange(ref _isInputClosed, 1) == 0)
        {
            _process.StandardInput.Close();
        }
    }

    private void Signal(int signal)
    {
        // The group's leader is the command itself. While it has not been waited for, its number belongs to nobody else.
        if (!_process.HasExited)
        {
            _ = SendSignal(-_process.Id, signal);
        }
    }

    [LibraryImport("libc", EntryPoint = "kill")]
    private static partial int SendSignal(int process, int signal);
}
