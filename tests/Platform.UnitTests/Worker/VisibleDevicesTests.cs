using Platform.Worker.Jobs.Exec;

namespace Platform.UnitTests.Worker;

public sealed class VisibleDevicesTests
{
    [Theory]
    [InlineData(null, "0,2")]
    [InlineData("", "0,2")]
    [InlineData("4,5,7", "4,7")]
    [InlineData("GPU-a, GPU-b, GPU-c", "GPU-a,GPU-c")]
    public void Value_ForACommand_NamesDevicesOfTheWorkersOwn(string? own, string value) => Assert.Equal(value, new VisibleDevices(own).ValueFor([0, 2]));

    [Fact]
    public void Value_WithoutDevices_HidesAllOfThem() => Assert.Equal("", new VisibleDevices("4,5").ValueFor([]));

    [Theory]
    [InlineData(null, 64, true)]
    [InlineData("4,5", 2, true)]
    [InlineData("4,5", 3, false)]
    public void Setting_OfMoreDevicesThanTheWorkerHas_IsAFault(string? own, int count, bool has) => Assert.Equal(has, new VisibleDevices(own).Has(count));
}
