using System.Threading.Channels;

namespace Platform.Local.Supervisor;

/// <summary>What one process prints: every line goes to its file in the logs folder and, with its name in front, to whoever follows.</summary>
/// <remarks>Thread-safe. A slow disk or terminal never blocks the process: lines queue, bounded, and the number of dropped ones is written once there is room.</remarks>
internal sealed class ProcessLog : IAsyncDisposable
{
    private const int QueuedLines = 10_000;

    private readonly Channel<string> _lines = Channel.CreateBounded<string>(new BoundedChannelOptions(QueuedLines) { FullMode = BoundedChannelFullMode.Wait, SingleReader = true });
    private readonly Action<string, string> _follow;
    private readonly Task _writer;
    private StreamWriter? _file;
    private long _dropped;

    public ProcessLog(string name, string folder, Action<string, string> follow)
    {
        Name = name;
        Path = System.IO.Path.Combine(folder, name + ".log");
        _follow = follow;
        Directory.CreateDirectory(folder);
        _writer = WriteLinesAsync();
    }

    /// <summary>The process's name.</summary>
    public string Name { get; }

    /// <summary>The file that keeps the lines.</summary>
    public string Path { get; }

    /// <summary>Takes one line.</summary>
    public void Write(string line)
    {
        if (!_lines.Writer.TryWrite(line))
        {
            Interlocked.Increment(ref _dropped);
        }
    }

    public async ValueTask DisposeAsync()
    {
        _lines.Writer.TryComplete();
        await _writer;
    }

    private async Task WriteLinesAsync()
    {
        Keep(() => _file = new StreamWriter(new FileStream(Path, FileMode.Append, FileAccess.Write, FileShare.ReadWrite | FileShare.Delete)));
        while (await _lines.Reader.WaitToReadAsync())
        {
            while (_lines.Reader.TryRead(out var line))
            {
                Keep(() => _file?.WriteLine(line));
                _follow(Name, line);
                if (Interlocked.Exchange(ref _dropped, 0) is > 0 and var dropped)
                {
                    Keep(() => _file?.WriteLine($"({dropped} lines dropped: printed faster than they could be written)"));
                }
            }

            Keep(() => _file?.Flush());
        }

        Keep(() => _file?.Dispose());
    }

    // A full disk must not end the platform: the lines are still shown.
    private void Keep(Action write)
    {
        try
        {
            write();
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            _file = null;
            _follow(Name, $"(log file {Path} cannot be written: {error.Message}; lines are only shown)");
        }
    }
}
