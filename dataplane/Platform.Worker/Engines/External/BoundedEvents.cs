namespace Platform.Worker.Engines.External;

/// <summary>Passes server-sent events through and breaks off at one that does not end: its reader keeps an event in memory until its last line is there.</summary>
/// <param name="inner">The events; disposed with this.</param>
/// <param name="longestEvent">Bytes that may come without an empty line between them.</param>
internal sealed class BoundedEvents(Stream inner, int longestEvent) : Stream
{
    private long _length;
    private bool _atLineStart;

    public override bool CanRead => true;

    public override bool CanSeek => false;

    public override bool CanWrite => false;

    public override long Length => throw new NotSupportedException();

    public override long Position
    {
        get => throw new NotSupportedException();
        set => throw new NotSupportedException();
    }

    public override int Read(byte[] buffer, int offset, int count) => Checked(buffer.AsSpan(offset, inner.Read(buffer, offset, count)));

    public override async ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default)
    {
        var read = await inner.ReadAsync(buffer, cancellationToken);
        return Checked(buffer.Span[..read]);
    }

    public override Task<int> ReadAsync(byte[] buffer, int offset, int count, CancellationToken cancellationToken) => ReadAsync(buffer.AsMemory(offset, count), cancellationToken).AsTask();

    public override void Flush() => throw new NotSupportedException();

    public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

    public override void SetLength(long value) => throw new NotSupportedException();

    public override void Write(byte[] buffer, int offset, int count) => throw new NotSupportedException();

    protected override void Dispose(bool disposing)
    {
        if (disposing)
        {
            inner.Dispose();
        }

        base.Dispose(disposing);
    }

    private int Checked(ReadOnlySpan<byte> bytes)
    {
        foreach (var value in bytes)
        {
            if (value == '\n')
            {
                _length = _atLineStart ? 0 : _length + 1;
                _atLineStart = true;
            }
            else if (value != '\r')
            {
                _length++;
                _atLineStart = false;
            }
        }

        return _length <= longestEvent ? bytes.Length : throw new IOException($"an event of more than {longestEvent} bytes does not end");
    }
}
