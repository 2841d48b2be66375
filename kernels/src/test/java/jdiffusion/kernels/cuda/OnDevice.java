package jdiffusion.kernels.cuda;

import java.lang.annotation.ElementType;
import java.lang.annotation.Inherited;
import java.lang.annotation.Retention;
import java.lang.annotation.RetentionPolicy;
import java.lang.annotation.Target;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.extension.ConditionEvaluationResult;
import org.junit.jupiter.api.extension.ExecutionCondition;
import org.junit.jupiter.api.extension.ExtendWith;
import org.junit.jupiter.api.extension.ExtensionContext;

/**
 * A test that uses {@link TestDevice}. The build runs those with this tag on the emulated device, and once more on a
 * real one; where there is none, they say that they are skipped.
 */
@Target(ElementType.TYPE)
@Retention(RetentionPolicy.RUNTIME)
@Inherited
@Tag("device")
@ExtendWith(OnDevice.Condition.class)
public @interface OnDevice {
    /** Whether the device that is asked for is here. */
    final class Condition implements ExecutionCondition {
        @Override
        public ConditionEvaluationResult evaluateExecutionCondition(ExtensionContext context) {
            return TestDevice.isReal() && !CudaDriver.isInstalled()
                    ? ConditionEvaluationResult.disabled(CudaDriver.notInstalled())
                    : ConditionEvaluationResult.enabled("the device is here");
        }
    }
}
