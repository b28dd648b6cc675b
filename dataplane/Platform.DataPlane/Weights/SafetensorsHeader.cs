using System.Buffers.Binary;
using System.Text.Json;

namespace Platform.DataPlane.Weights;

/// <summary>The header of a safetensors file: where each tensor lies. Reading it touches no tensor.</summary>
/// <remarks><code>
/// 0        8                      8+N                     end
/// | N, u64 | header: N bytes JSON | data: tensors, no gap |
/// {"__metadata__":{"k":"v"}, "name":{"dtype":"BF16","shape":[2,3],"data_offsets":[0,12]}, ...}
/// </code>
/// Checked as https://github.com/huggingface/safetensors#format asks: the header begins with '{', is at most 100 MB, has no duplicate keys; the tensors cover the data section exactly, without gap or overlap.
/// What parsing allocates is bounded by the header's own length.</remarks>
public sealed class SafetensorsHeader
{
    /// <summary>Bytes before the header: its length.</summary>
    public const int PrefixLengthBytes = 8;

    /// <summary>Longest header that the format allows.</summary>
    public const int MaxHeaderLengthBytes = 100_000_000;

    private SafetensorsHeader(string file, long dataOffsetBytes, long fileLengthBytes, IReadOnlyDictionary<string, string> metadata, IReadOnlyDictionary<string, TensorInfo> tensors)
    {
        File = file;
        DataOffsetBytes = dataOffsetBytes;
        FileLengthBytes = fileLengthBytes;
        Metadata = metadata;
        Tensors = tensors;
    }

    /// <summary>Name of the file, as given by the caller.</summary>
    public string File { get; }

    /// <summary>First byte of the data section.</summary>
    public long DataOffsetBytes { get; }

    /// <summary>Length of the whole file.</summary>
    public long FileLengthBytes { get; }

    /// <summary>The free-form <c>__metadata__</c>; empty if the file has none.</summary>
    public IReadOnlyDictionary<string, string> Metadata { get; }

    /// <summary>Every tensor by name. Enumerates in the order in which they lie in the file.</summary>
    public IReadOnlyDictionary<string, TensorInfo> Tensors { get; }

    /// <summary>Reads the first <see cref="PrefixLengthBytes"/> bytes of a file: how long its header is.</summary>
    /// <param name="file">Name of the file, for messages.</param>
    /// <param name="prefix">The file's first bytes, at least 8 unless the file is shorter.</param>
    /// <param name="fileLengthBytes">Length of the whole file.</param>
    /// <returns>Bytes of JSON that follow the prefix: 2 to <see cref="MaxHeaderLengthBytes"/>, and never past the end of the file.</returns>
    /// <exception cref="WeightsException">The length is out of range.</exception>
    public static int ReadHeaderLength(string file, ReadOnlySpan<byte> prefix, long fileLengthBytes)
    {
        if (prefix.Length < PrefixLengthBytes || fileLengthBytes < PrefixLengthBytes)
        {
            throw new WeightsException($"'{file}' has {Math.Min(prefix.Length, fileLengthBytes)} bytes; a safetensors file has at least {PrefixLengthBytes + 2}. It is truncated or empty: upload it again.");
        }

        var length = BinaryPrimitives.ReadUInt64LittleEndian(prefix);
        if (length is < 2 or > MaxHeaderLengthBytes)
        {
            throw new WeightsException($"'{file}' says that its header has {length} bytes; expected 2 to {MaxHeaderLengthBytes}. It is not a safetensors file, or its beginning is damaged.");
        }

        if ((long)length > fileLengthBytes - PrefixLengthBytes)
        {
            throw new WeightsException($"'{file}' is truncated: its header alone needs {length + PrefixLengthBytes} bytes and the file has {fileLengthBytes}. Upload it again.");
        }

        return (int)length;
    }

    /// <summary>Reads the header of a file whose beginning is in memory.</summary>
    /// <param name="file">Name of the file, for messages.</param>
    /// <param name="beginning">The file from its first byte on, at least up to the end of the header; more does no harm.</param>
    /// <param name="fileLengthBytes">Length of the whole file; the tensors must end exactly there.</param>
    /// <exception cref="WeightsException">The file is not a well-formed safetensors file of this length.</exception>
    public static SafetensorsHeader Parse(string file, ReadOnlySpan<byte> beginning, long fileLengthBytes)
    {
        var headerLength = ReadHeaderLength(file, beginning, fileLengthBytes);
        if (beginning.Length - PrefixLengthBytes < headerLength)
        {
            throw new WeightsException($"'{file}': the header has {headerLength} bytes and only {beginning.Length - PrefixLengthBytes} of them were read.");
        }

        var json = beginning.Slice(PrefixLengthBytes, headerLength);
        if (json[0] != (byte)'{')
        {
            throw new WeightsException($"'{file}': the header begins with byte 0x{json[0]:x2}; expected '{{' (0x7b). It is not a safetensors file.");
        }

        try
        {
            var (metadata, tensors) = SafetensorsHeaderReader.Read(file, json, PrefixLengthBytes + headerLength);
            var ordered = InFileOrder(file, tensors, PrefixLengthBytes + headerLength, fileLengthBytes);
            return new SafetensorsHeader(file, PrefixLengthBytes + headerLength, fileLengthBytes, metadata, ordered);
        }
        catch (Exception error) when (error is JsonException or InvalidOperationException)
        {
            // Utf8JsonReader answers malformed UTF-8 and lone surrogates with InvalidOperationException.
            throw new WeightsException($"'{file}': the header is not valid JSON: {error.Message}", error);
        }
    }

    private static OrderedDictionary<string, TensorInfo> InFileOrder(string file, List<TensorInfo> tensors, long dataOffset, long fileLength)
    {
        tensors.Sort(static (a, b) => a.OffsetBytes != b.OffsetBytes ? a.OffsetBytes.CompareTo(b.OffsetBytes) : a.EndBytes.CompareTo(b.EndBytes));
        var ordered = new OrderedDictionary<string, TensorInfo>(tensors.Count, StringComparer.Ordinal);
        var end = dataOffset;
        foreach (var tensor in tensors)
        {
            if (tensor.OffsetBytes != end)
            {
                var fault = tensor.OffsetBytes < end ? "overlaps the tensor before it" : "leaves a gap to the tensor before it";
                throw new WeightsException($"'{file}': tensor '{tensor.Name}' begins at data offset {tensor.OffsetBytes - dataOffset} and {fault}, which ends at {end - dataOffset}.");
            }

            if (!ordered.TryAdd(tensor.Name, tensor))
            {
                throw new WeightsException($"'{file}': tensor '{tensor.Name}' is listed twice.");
            }

            end = tensor.EndBytes;
        }

        if (end != fileLength)
        {
            throw new WeightsException(end > fileLength
                ? $"'{file}' is truncated: its tensors end at byte {end} and the file has {fileLength} bytes. Upload it again."
                : $"'{file}' has {fileLength - end} bytes after its last tensor; the format allows none.");
        }

        return ordered;
    }
}
