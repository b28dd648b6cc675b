using Platform.DataPlane.HostMemory;

namespace Platform.DataPlane.Weights;

/// <summary>The files of one version of a model in host memory. Filled by the load that made it; when it is whole, later loads take everything from here.</summary>
internal sealed class HostImage : IDisposable
{
    private readonly Dictionary<string, AlignedMemory> _files = new(StringComparer.Ordinal);

    public HostImage(string key, ModelFiles model, Func<long, AlignedMemory> allocate)
    {
        Key = key;
        Model = model.Model;
        try
        {
            foreach (var file in model.Files)
            {
                _files.Add(file.Name, allocate(file.LengthBytes));
                LengthBytes += _files[file.Name].LengthBytes;
            }
        }
        catch
        {
            Dispose();
            throw;
        }
    }

    /// <summary>Which version of which model.</summary>
    public string Key { get; }

    /// <summary>The model's name.</summary>
    public string Model { get; }

    /// <summary>Bytes of memory that it takes.</summary>
    public long LengthBytes { get; }

    /// <summary>True when every byte is there.</summary>
    public bool IsWhole { get; set; }

    /// <summary>Loads that read or fill it. Under the cache's gate.</summary>
    public int Users { get; set; }

    /// <summary>True once nobody may begin to use it any more. Under the cache's gate.</summary>
    public bool IsDropped { get; set; }

    /// <summary>A file's memory.</summary>
    public AlignedMemory Of(string file) => _files[file];

    public void Dispose()
    {
        foreach (var memory in _files.Values)
        {
            memory.Dispose();
        }

        _files.Clear();
    }
}
