using Microsoft.Extensions.Logging;

namespace Platform.DataPlane.Nvme;

/// <summary>Says that the file system refuses direct I/O: once for a tier, however many of its devices and files meet that.</summary>
internal sealed class DirectIoNotice(ILogger logger)
{
    private int _isSaid;

    public void Say(string path)
    {
        if (Interlocked.Exchange(ref _isSaid, 1) == 0)
        {
            NvmeLog.DirectIoRefused(logger, path);
        }
    }
}
