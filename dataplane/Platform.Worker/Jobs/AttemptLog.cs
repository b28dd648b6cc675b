using System.Text;

namespace Platform.Worker.Jobs;

/// <summary>The log of one attempt: lines in a file, each with its time, flushed when written, bounded in length. Thread-safe.</summary>
internal sealed class AttemptLog : IDisposable
{
    private readonly Lock _lock = new();
    private readonly FileStream _file;
    private readonly TimeProvider _time;
    private readonly long _maxBytes;
    private bool _isFull;
    private bool _isClosed;

    public AttemptLog(string path, long maxBytes, TimeProvider time)
    {
        Directory.CreateDirectory(System.IO.Path.GetDirectoryName(path)!);
        _file = new FileStream(path, FileMode.Append, FileAccess.Write, FileShare.ReadWrite | FileShare.Delete);
        (Path, _maxBytes, _time) = (path, maxBytes, time);
    }

    public string Path { get; }

    /// <summary>Adds a line. What does not fit any more is dropped, and the log says so once.</summary>
    public void Write(string line)
    {
        lock (_lock)
        {
            if (_isFull || _isClosed)
            {
                return;
            }

            var bytes = Encoding.UTF8.GetBytes($"{_time.GetUtcNow():yyyy-MM-dd'T'HH:mm:ss.fff'Z'} {line}\n");
            if (_file.Length + bytes.Length > _maxBytes)
            {
                _isFull = true;
                bytes = Encoding.UTF8.GetBytes($"The log has reached its limit of {_maxBytes} bytes; nothing more is kept.\n");
            }

            _file.Write(bytes);
            _file.Flush();
        }
    }

    public void Dispose()
    {
        lock (_lock)
        {
            _isClosed = true;
            _file.Dispose();
        }
    }
}
