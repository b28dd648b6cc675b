namespace Platform.DataPlane.Nvme.Io;

/// <summary>Thrown from a fault point: the device moves only so many bytes. A read stops short there and goes on with the next call; of a write the rest never gets to the device, which says EIO.</summary>
/// <param name="bytes">A multiple of 4096 where I/O is direct.</param>
internal sealed class PartialTransferException(int bytes) : IOException($"the device moved {bytes} bytes and failed", 5)
{
    public int Bytes => bytes;
}
