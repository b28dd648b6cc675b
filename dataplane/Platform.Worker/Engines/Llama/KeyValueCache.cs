using System.Runtime.InteropServices;

namespace Platform.Worker.Engines.Llama;

/// <summary>Keys and values of one text's tokens in every layer, as floats, so that a token is computed once.</summary>
/// <remarks>Per layer and head: keys [capacity, head size], then values [capacity, head size]. Its size is fixed when a text is admitted.</remarks>
internal sealed unsafe class KeyValueCache : IDisposable
{
    private readonly int _headSize;
    private readonly int _headCount;
    private readonly nint _headLength;
    private float* _data;

    public KeyValueCache(LlamaConfig config, int capacity)
    {
        Capacity = capacity;
        _headSize = config.HeadSize;
        _headCount = config.KeyValueHeadCount;
        _headLength = (nint)capacity * _headSize;
        LengthBytes = LengthOf(config, capacity);
        _data = (float*)NativeMemory.AlignedAlloc((nuint)LengthBytes, 64);
    }

    /// <summary>Positions.</summary>
    public int Capacity { get; }

    public long LengthBytes { get; }

    /// <summary>Bytes that a text of so many positions takes.</summary>
    public static long LengthOf(LlamaConfig config, int capacity) => (long)config.LayerCount * 2 * config.KeyValueSize * capacity * sizeof(float);

    /// <summary>Keys of one head, [capacity, head size].</summary>
    public float* Keys(int layer, int head) => _data + (((((nint)layer * _headCount) + head) * 2) * _headLength);

    /// <summary>Values of one head, [capacity, head size].</summary>
    public float* Values(int layer, int head) => Keys(layer, head) + _headLength;

    public void Dispose()
    {
        NativeMemory.AlignedFree(_data);
        _data = null;
    }
}
