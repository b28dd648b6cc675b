using System.Diagnostics;
using System.Net;
using System.Net.Sockets;
using System.Runtime.InteropServices;

namespace Platform.Worker.Engines.External;

/// <summary>One run of a server program: its port, its output line by line, its end.</summary>
internal sealed partial class ServerProcess : IAsyncDisposable
{
    private const int KeptLines = 20;
    private const int SigTerm = 15;

    private readonly Process _process;
    private readonly Queue<string> _tail = new();
    private readonly Lock _gate = new();

    private ServerProcess(Process process, int port)
    {
        (_process, Port) = (process, port);
        Id = process.Id;
    }

    /// <summary>The port that it was told to listen on.</summary>
    public int Port { get; }

    public int Id { get; }

    public bool HasExited => _process.HasExited;

    /// <summary>Completes when the program has ended, however.</summary>
    public Task Exited => _process.WaitForExitAsync();

    /// <summary>How it ended and what it said last; for messages.</summary>
    public string Account
    {
        get
        {
            var how = _process.HasExited ? $"ended with code {_process.ExitCode}" : "runs";
            lock (_gate)
            {
                return _tail.Count == 0 ? $"{how} and said nothing" : $"{how}; its last lines: {string.Join(" | ", _tail)}";
            }
        }
    }

    /// <summary>Starts the program on a free port.</summary>
    /// <exception cref="EngineException">It cannot be started at all.</exception>
    public static ServerProcess Start(ExternalEngineOptions options, string model, string modelFolder, Action<string> line)
    {
        var port = FreePort();
        string Fill(string text) => ExternalEngineOptions.Fill(text, modelFolder, model, port, options.Gpu);
        var start = new ProcessStartInfo(Fill(options.Command[0]), options.Command.Skip(1).Select(Fill))
        {
            UseShellExecute = false,
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
            WorkingDirectory = modelFolder,
        };
        foreach (var (name, value) in options.Environment)
        {
            start.Environment[name] = Fill(value);
        }

        try
        {
            var server = new ServerProcess(Process.Start(start)!, port);
            server.Listen(line);
            return server;
        }
        catch (System.ComponentModel.Win32Exception fault)
        {
            throw new EngineException(Platform.Jobs.ErrorCodes.Unavailable, $"The engine '{start.FileName}' of model '{model}' cannot be started: {fault.Message}. Correct Worker:External:Command, or install the program.", fault);
        }
    }

    /// <summary>Asks the program to end.</summary>
    public void Terminate()
    {
        if (!_process.HasExited && OperatingSystem.IsLinux())
        {
            _ = Kill(_process.Id, SigTerm);
        }
    }

    /// <summary>Ends it, and what it started, at once.</summary>
    public async ValueTask DisposeAsync()
    {
        if (!_process.HasExited)
        {
            _process.Kill(entireProcessTree: true);
        }

        await _process.WaitForExitAsync();
        _process.Dispose();
    }

    [LibraryImport("libc", EntryPoint = "kill")]
    private static partial int Kill(int process, int signal);

    private static int FreePort()
    {
        // Taken by somebody else in between, the server cannot start, and the next attempt has another one.
        using var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        return ((IPEndPoint)listener.LocalEndpoint).Port;
    }

    private void Listen(Action<string> line)
    {
        void Take(object sender, DataReceivedEventArgs received)
        {
            if (received.Data is not { Length: > 0 } text)
            {
                return;
            }

            lock (_gate)
            {
                _tail.Enqueue(text);
                if (_tail.Count > KeptLines)
                {
                    _tail.Dequeue();
                }
            }

            line(text);
        }

        _process.OutputDataReceived += Take;
        _process.ErrorDataReceived += Take;
        _process.BeginOutputReadLine();
        _process.BeginErrorReadLine();
    }
}
