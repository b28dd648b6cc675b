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

    private HandlerProcess(Process process, int port, string command)
    {
        _process = process;
        Port = port;
        Command = command;
    }

    public int Id => _process.Id;

    public int Port { get; }

    public string Command { get; }

    public bool HasExited => _process.HasExited;

    public int ExitCode => _process.ExitCode;

    public Task WaitForExitAsync(CancellationToken cancellationToken) => _process.WaitForExitAsync(cancellationToken);

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
            var process = Process.Start(start) ?? throw new FunctionAppException($"'{command}' did not start.");
            Follow(process, output);
            return new HandlerProcess(process, port, command);
        }
        catch (Win32Exception exception)
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
            await _process.WaitForExitAsync(grace.Token);
        }
        catch (Exception exception) when (exception is OperationCanceledException or IOException or InvalidOperationException)
        {
            Kill();
            await _process.WaitForExitAsync(CancellationToken.None);
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
