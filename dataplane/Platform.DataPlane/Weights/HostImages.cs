using Platform.DataPlane.HostMemory;

namespace Platform.DataPlane.Weights;

/// <summary>Keeps models that sleep in host memory, up to a limit: a model that comes back is copied to its device from here, without a byte from NVMe. The one used longest ago makes room.</summary>
/// <remarks>Thread-safe.</remarks>
public sealed class HostImages : IDisposable
{
    private readonly Lock _gate = new();
    private readonly Func<long, AlignedMemory> _allocate;

    /// <summary>Used longest ago first.</summary>
    private readonly List<HostImage> _images = [];
    private bool _disposed;

    /// <summary>Makes an empty store.</summary>
    /// <param name="limitBytes">Host memory that images may take together; 0 keeps none.</param>
    /// <param name="allocate">Where the memory comes from: an accelerator's pinned memory, for example. Default: ordinary memory.</param>
    public HostImages(long limitBytes, Func<long, AlignedMemory>? allocate = null)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(limitBytes);
        LimitBytes = limitBytes;
        _allocate = allocate ?? (static length => new AlignedMemory(length));
    }

    /// <summary>Bytes that images may take.</summary>
    public long LimitBytes { get; }

    /// <summary>Bytes that they take.</summary>
    public long UsedBytes
    {
        get
        {
            lock (_gate)
            {
                return _images.Sum(image => image.LengthBytes);
            }
        }
    }

    /// <summary>Names of the models that are whole here.</summary>
    public IReadOnlyList<string> Models
    {
        get
        {
            lock (_gate)
            {
                return [.. _images.Where(image => image.IsWhole).Select(image => image.Model).Distinct(StringComparer.Ordinal)];
            }
        }
    }

    /// <summary>Lets go of a model's images; memory still being copied from is freed after that.</summary>
    /// <returns>True if there was one.</returns>
    public bool Drop(string model)
    {
        lock (_gate)
        {
            var dropped = _images.Where(image => image.Model == model).ToList();
            dropped.ForEach(Remove);
            return dropped.Count > 0;
        }
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        lock (_gate)
        {
            _disposed = true;
            _images.ToList().ForEach(Remove);
        }
    }

    /// <summary>True if the model is whole here.</summary>
    internal bool Has(string key)
    {
        lock (_gate)
        {
            return _images.Any(image => image.Key == key && image.IsWhole);
        }
    }

    /// <summary>The whole image of a model, or a new one to fill; null if it may not be kept here. Give it back with <see cref="Release"/>.</summary>
    internal HostImage? Take(string key, ModelFiles model)
    {
        lock (_gate)
        {
            if (_images.Find(image => image.Key == key) is { } known)
            {
                if (!known.IsWhole)
                {
                    // Another load of the same version fills it; this one goes without.
                    return null;
                }

                known.Users++;
                _images.Remove(known);
                _images.Add(known);
                return known;
            }

            // A version that nobody will ask for again makes room first.
            _images.Where(image => image.Model == model.Model && image is { IsWhole: true, Users: 0 }).ToList().ForEach(Remove);
            if (_disposed || !MakeRoom(model.Files.Sum(file => Math.Max(AlignedMemory.AlignmentBytes, AlignedMemory.RoundUp(file.LengthBytes)))))
            {
                return null;
            }

            try
            {
                var image = new HostImage(key, model, _allocate) { Users = 1 };
                _images.Add(image);
                return image;
            }
            catch (Exception fault) when (fault is OutOfMemoryException or DeviceMemory.AcceleratorException)
            {
                // Sleeping in host memory is a convenience; without it the next load comes from NVMe.
                return null;
            }
        }
    }

    /// <summary>Ends the use of an image. One that was not filled is forgotten.</summary>
    internal void Release(HostImage image)
    {
        lock (_gate)
        {
            image.Users--;
            if (!image.IsWhole && !image.IsDropped)
            {
                Remove(image);
            }
            else if (image is { IsDropped: true, Users: 0 })
            {
                image.Dispose();
            }
        }
    }

    /// <summary>Called under the gate.</summary>
    private bool MakeRoom(long bytes)
    {
        if (bytes > LimitBytes - _images.Where(image => image.Users > 0).Sum(image => image.LengthBytes))
        {
            return false;
        }

        while (_images.Sum(image => image.LengthBytes) + bytes > LimitBytes)
        {
            Remove(_images.First(image => image.Users == 0));
        }

        return true;
    }

    /// <summary>Called under the gate.</summary>
    private void Remove(HostImage image)
    {
        _images.Remove(image);
        image.IsDropped = true;
        if (image.Users == 0)
        {
            image.Dispose();
        }
    }
}
