using System.ComponentModel;
using System.Diagnostics;
using Platform.Jobs;
using Platform.Local.FunctionsHost.App;

namespace Platform.Local.FunctionsHost.Handler;

/// <summary>Starts the handler with the contract's environment and ends it again.</summary>
internal sealed class HandlerProcess : IDisposable
{
    private static readonly TimeSpan ExitGrace = TimeSpan.FromSeconds(1);

    private readonly Process _process;
    private readonly Task _exited;

    private HandlerProcess(Process process, Task exited, int port, string command)
    {
        _process = process;
        _exited = exited;
        Port = port;
        Command = command;
    }

    public int Id => _process.Id;

    public int Port { get; }

    public string Command { get; }

    public bool HasExited => _process.HasExited;

    public int ExitCode => _process.ExitCode;

    /// <summary>Completes when the process has ended; its last lines may still be on their way.</summary>
    /// <remarks>The one of <see cref="Process"/> also waits for the end of the output, which a child that goes on holds open.</remarks>
    public Task WaitForExitAsync(CancellationToken cancellationToken) => _exited.WaitAsync(cancellationToken);

    /// <summary>Waits for the last lines of a process that has ended, but for no child that goes on.</summary>
    public async Task ReadToEndAsync()
    {
        using var grace = new CancellationTokenSource(ExitGrace);
        try
        {
            await _process.WaitForExitAsync(grace.Token);
        }
        catch (OperationCanceledException)
        {
            // What a child still says is lost with the pipe.
        }
    }

    /// <exception cref="FunctionAppException">The executable cannot be started.</exception>
    public static HandlerProcess Start(HandlerSettings settings, string appRoot, string workerId, IReadOnlyDictionary<string, string> environment, Action<string, bool> output)
    {
        var port = settings.Port != 0 ? settings.Port : LoopbackPort.AnyFree();
        var start = new ProcessStartInfo(settings.Executable)
        {
            WorkingDirectory = settings.WorkingDirectory,
            UseShellExecute = false,
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        };
        foreach (var argument in settings.Arguments)
        {
            start.ArgumentList.Add(argument);
        }

        foreach (var (name, value) in environment)
        {
            start.Environment[name] = value;
        }

        start.Environment["FUNCTIONS_CUSTOMHANDLER_PORT"] = start.Environment["FUNCTIONS_HTTPWORKER_PORT"] = port.ToString();
        start.Environment["FUNCTIONS_CUSTOMHANDLER_WORKER_ID"] = start.Environment["FUNCTIONS_HTTPWORKER_ID"] = workerId;
        start.Environment["FUNCTIONS_APP_ROOT_PATH"] = appRoot;

        // The pipe behind standard input ends when this process does, however it ends.
        start.Environment[Supervision.Variable] = "1";

        var command = string.Join(' ', [settings.Executable, .. settings.Arguments]);
        try
        {
            var exited = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
            var process = new Process { StartInfo = start, EnableRaisingEvents = true };
            process.Exited += (_, _) => exited.TrySetResult();
            process.Start();
            Follow(process, output);
            return new HandlerProcess(process, exited.Task, port, command);
        }
        catch (Exception exception) when (exception is Win32Exception or ArgumentException)
        {
            throw new FunctionAppException($"The handler '{command}' cannot be started in '{settings.WorkingDirectory}': {exception.Message}. Check customHandler.description in host.json.", exception);
        }
    }

    /// <summary>Ends the process and its children: its standard input is closed, and after a second it is killed.</summary>
    public async Task StopAsync()
    {
        using var grace = new CancellationTokenSource(ExitGrace);
        try
        {
            _process.StandardInput.Close();
            await _exited.WaitAsync(grace.Token);
        }
        catch (Exception exception) when (exception is OperationCanceledException or IOException or InvalidOperationException)
        {
            Kill();
            await _exited;
        }
    }

    public void Kill()
    {
        try
        {
            _process.Kill(entireProcessTree: true);
        }
        catch (Exception exception) when (exception is InvalidOperationException or Win32Exception)
        {
            // It ended by itself in the meantime.
        }
    }

    public void Dispose() => _process.Dispose();

    private static void Follow(Process process, Action<string, bool> output)
    {
        process.OutputDataReceived += (_, line) => Report(line.Data, false);
        process.ErrorDataReceived += (_, line) => Report(line.Data, true);
        process.BeginOutputReadLine();
        process.BeginErrorReadLine();

        void Report(string? line, bool isError)
        {
            if (line is not null)
            {
                output(line, isError);
            }
        }
    }
}
