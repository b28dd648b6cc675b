namespace Platform.DataPlane.Weights;

/// <summary>Headers of files that were loaded before. A version of a file never changes, so its next load begins with tensors at once.</summary>
/// <remarks>Thread-safe. A header that is not kept is read again; bounded by the bytes that the headers take in their files, of which they take a few times as many here.</remarks>
internal sealed class KnownHeaders
{
    /// <summary>Hundreds of models: the header of one of 8 B parameters has 40 KB.</summary>
    private const long MostBytes = 8 << 20;

    private readonly Lock _gate = new();

    /// <summary>Used longest ago first.</summary>
    private readonly OrderedDictionary<Version, SafetensorsHeader> _headers = [];
    private long _bytes;

    /// <summary>The header of a file; null if it is not known.</summary>
    public SafetensorsHeader? Find(ModelFileSource file)
    {
        lock (_gate)
        {
            var version = Version.Of(file);
            if (!_headers.Remove(version, out var header))
            {
                return null;
            }

            _headers.Add(version, header);
            return header;
        }
    }

    /// <summary>Keeps a header that was read, unless its file has no tensor.</summary>
    public void Add(ModelFileSource file, SafetensorsHeader header)
    {
        lock (_gate)
        {
            if (header.DataOffsetBytes == header.FileLengthBytes || !_headers.TryAdd(Version.Of(file), header))
            {
                return;
            }

            _bytes += header.DataOffsetBytes;
            while (_bytes > MostBytes)
            {
                _bytes -= _headers.GetAt(0).Value.DataOffsetBytes;
                _headers.RemoveAt(0);
            }
        }
    }

    private sealed record Version(string ObjectKey, string ETag, long LengthBytes)
    {
        public static Version Of(ModelFileSource file) => new(file.ObjectKey, file.ETag, file.LengthBytes);
    }
}
