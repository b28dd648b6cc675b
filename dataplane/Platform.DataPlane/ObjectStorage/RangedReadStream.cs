namespace Platform.DataPlane.ObjectStorage;

/// <summary>An object as a stream, read in ranges under one ETag, so that a broken connection costs one range and a rewritten object is noticed; at its end the bytes are compared with the object's checksum, if storage keeps one.</summary>
internal sealed class RangedReadStream(IObjectStorage storage, ObjectInfo info) : Stream
{
    private const int RangeBytes = 4 << 20;

    private readonly ObjectChecksum.Running? _checksum = info.Checksum is { } checksum ? new(checksum.Algorithm) : null;
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
            _checksum?.Append(_range);
            _next += length;
            if (_next == info.LengthBytes && _checksum is not null && _checksum.Current != info.Checksum)
            {
                throw new StorageException(StorageError.Corrupt, $"Object '{info.Key}' in {storage.Name}, ETag {info.ETag}: checksum {_checksum.Current}, storage keeps {info.Checksum}. The object, or what lies between, is damaged; publish it again.");
            }

            _used = 0;
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
