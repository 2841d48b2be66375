package jdiffusion.kernels.cuda;

import java.lang.annotation.ElementType;
import java.lang.annotation.Inherited;
import java.lang.annotation.Retention;
import java.lang.annotation.RetentionPolicy;
import java.lang.annotation.Target;
import java.util.List;
import jdiffusion.emulator.driver.EmulatedDevice;
import jdiffusion.kernels.DeviceException;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.extension.ConditionEvaluationResult;
import org.junit.jupiter.api.extension.ExecutionCondition;
import org.junit.jupiter.api.extension.ExtendWith;
import org.junit.jupiter.api.extension.ExtensionContext;
import org.junit.jupiter.api.parallel.ResourceLock;

/**
 * A test that uses {@link TestDevice}. The build runs those with this tag on the emulated device, and once more on a
 * real one; where there is none that can be used, or no C compiler for the emulated one's driver, they say that they
 * are skipped. One of them runs at a time, beside those that do not use it.
 */
@Target(ElementType.TYPE)
@Retention(RetentionPolicy.RUNTIME)
@Inherited
@Tag("device")
@ResourceLock("device")
@ExtendWith(OnDevice.Condition.class)
public @interface OnDevice {
    /** Whether the device that is asked for is here. */
    final class Condition implements ExecutionCondition {
        @Override
        public ConditionEvaluationResult evaluateExecutionCondition(ExtensionContext context) {
            String obstacle = TestDevice.isReal() ? realObstacle() : EmulatedDevice.obstacle();
            // Any other reason not to emulate is a fault, which the test shows.
            return obstacle != null && (TestDevice.isReal() || obstacle.contains("needs a C compiler"))
                    ? ConditionEvaluationResult.disabled("skipped: " + obstacle)
                    : ConditionEvaluationResult.enabled("the device is here");
        }

        private static String realObstacle() {
            try {
                List<CudaDriver.Device> devices = CudaDriver.devices();
                return devices.isEmpty() ? "NVIDIA's driver has no device" : devices.getFirst().obstacle();
            } catch (DeviceException e) {
                return e.getMessage();
            }
        }
    }
}
