namespace Platform.DataPlane.ObjectStorage;

/// <summary>An object as a stream, read in ranges under one ETag, so that a broken connection costs one range and a rewritten object is noticed.</summary>
internal sealed class RangedReadStream(IObjectStorage storage, ObjectInfo info) : Stream
{
    private const int RangeBytes = 4 << 20;

    private byte[] _range = [];
    private int _used;
    private long _next;

    public override bool CanRead => true;

    public override bool CanSeek => false;

    public override bool CanWrite => false;

    public override long Length => info.LengthBytes;

    public override long Position
    {
        get => _next - (_range.Length - _used);
        set => throw new NotSupportedException();
    }

    public override async ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default)
    {
        if (_used == _range.Length)
        {
            var length = (int)Math.Min(RangeBytes, info.LengthBytes - _next);
            if (length == 0 || buffer.IsEmpty)
            {
                return 0;
            }

            _range = _range.Length == length ? _range : new byte[length];
            _used = length;
            await storage.ReadAsync(info.Key, _next, _range, info.ETag, cancellationToken);
            _used = 0;
            _next += length;
        }

        var count = Math.Min(buffer.Length, _range.Length - _used);
        _range.AsMemory(_used, count).CopyTo(buffer);
        _used += count;
        return count;
    }

    public override Task<int> ReadAsync(byte[] buffer, int offset, int count, CancellationToken cancellationToken) =>
        ReadAsync(buffer.AsMemory(offset, count), cancellationToken).AsTask();

    public override int Read(byte[] buffer, int offset, int count) => throw new NotSupportedException("Read asynchronously: the bytes come over the network.");

    public override void Flush()
    {
        // Nothing is written.
    }

    public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

    public override void SetLength(long value) => throw new NotSupportedException();

    public override void Write(byte[] buffer, int offset, int count) => throw new NotSupportedException();
}
