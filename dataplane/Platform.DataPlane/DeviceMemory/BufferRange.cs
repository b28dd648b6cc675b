namespace Platform.DataPlane.DeviceMemory;

/// <summary>Checks where a copy ends, since drivers check it late or not at all.</summary>
internal static class BufferRange
{
    /// <summary>The buffer as the type of the accelerator that is asked to copy.</summary>
    /// <exception cref="ArgumentException">It is another accelerator's.</exception>
    /// <exception cref="ArgumentOutOfRangeException">The range is not inside the buffer.</exception>
    public static T Check<T>(IDeviceBuffer buffer, long offsetBytes, int lengthBytes)
        where T : class, IDeviceBuffer
    {
        ArgumentNullException.ThrowIfNull(buffer);
        ArgumentOutOfRangeException.ThrowIfNegative(offsetBytes);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(offsetBytes, buffer.LengthBytes - lengthBytes);
        return buffer as T ?? throw new ArgumentException($"The buffer is a {buffer.GetType().Name}; this stream copies to and from {typeof(T).Name} alone.", nameof(buffer));
    }
}
